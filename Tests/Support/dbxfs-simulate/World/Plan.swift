import DbxTestKit

/// What happens in a run and when, drawn from its seed before it begins: so steps can be left out and the rest stays the
/// same.
struct Plan {
    enum Fault {
        case link(device: Int, Link.Condition, Duration)
        case kill(device: Int)
        case powerCut(device: Int, afterChanges: Int)
        case badDisk(device: Int, noSpace: Bool, changes: Int)
        case revoke(device: Int, Duration)
        case killServer
        case serverPowerCut(afterChanges: Int)
        case quota(bytes: Int64, Duration)
        /// The server's data become again what they are now, after a while.
        case restore(isRestored: Bool, after: Duration)
        /// It forgets what was removed, so that older cursors are too old.
        case forget
    }

    enum Action {
        case program(device: Int, Program.Kind)
        case fault(Fault)
    }

    struct Step {
        var index: Int
        var at: Duration
        var seed: UInt64
        var action: Action
    }

    let devices: Int
    /// All programs run on the first device, and no disk fails: nobody has anything to be in conflict with.
    private(set) var isSolo: Bool
    private(set) var steps: [Step] = []

    init(seed: UInt64) {
        let entropy = SeededEntropy(seed: seed)
        devices = 2 + [0, 0, 0, 0, 1, 1, 1, 2, 3][entropy.number(below: 9)]
        let programs = 20 + entropy.number(below: 60)
        // Some runs are calm, some are a storm.
        let faults = entropy.chance(15) ? 0 : entropy.number(below: 9)
        let milliseconds = 5_000 + entropy.number(below: 60_000)
        isSolo = seed % 8 == 7
        var actions = (0..<programs).map { [isSolo] _ in
            let device = entropy.number(below: devices)
            return Action.program(device: isSolo ? 0 : device, Self.kind(entropy))
        }
        actions += (0..<faults).map { _ in Action.fault(Self.fault(entropy, devices: devices)) }
        if isSolo { actions.removeAll { if case .fault(.badDisk) = $0 { true } else { false } } }
        if seed % 5 == 0, !isSolo { actions += Self.restores(SeededEntropy(seed: ~seed)) }
        let planned = actions.map {
            (at: Duration.milliseconds(entropy.number(below: milliseconds)), $0, entropy.next())
        }
        for (index, (at, action, seed)) in planned.sorted(by: { $0.at < $1.at }).enumerated() {
            steps.append(Step(index: index, at: at, seed: seed, action: action))
        }
    }

    /// Of some seeds only, so that the plans of all others stay what they are.
    private static func restores(_ entropy: SeededEntropy) -> [Action] {
        (0..<1 + entropy.number(below: 3)).map { _ in
            if entropy.chance(25) { return .fault(.forget) }
            let delay = Duration.milliseconds(500 + entropy.number(below: 30_000))
            return .fault(.restore(isRestored: entropy.chance(50), after: delay))
        }
    }

    private static func kind(_ entropy: SeededEntropy) -> Program.Kind {
        var left = entropy.number(below: Program.weights.reduce(0) { $0 + $1.1 })
        for (kind, weight) in Program.weights {
            if left < weight { return kind }
            left -= weight
        }
        return .make
    }

    private static func fault(_ entropy: SeededEntropy, devices: Int) -> Fault {
        let device = entropy.number(below: devices)
        let duration = Duration.milliseconds(500 + entropy.number(below: 40_000))
        switch entropy.number(below: 100) {
        case 0..<12: return .link(device: device, .down, duration)
        case 12..<20: return .link(device: device, .blackHole, duration)
        case 20..<38: return .link(device: device, .flaky, duration)
        case 38..<43: return .link(device: device, .portal, duration)
        case 43..<52: return .kill(device: device)
        case 52..<70: return .powerCut(device: device, afterChanges: entropy.number(below: 120))
        case 70..<73:
            return .badDisk(device: device, noSpace: entropy.chance(50), changes: 1 + entropy.number(below: 10))
        case 73..<77: return .revoke(device: device, duration)
        case 77..<84: return .killServer
        case 84..<91: return .serverPowerCut(afterChanges: entropy.number(below: 100))
        case 91..<97: return .quota(bytes: Int64(entropy.number(below: 60_000)), duration)
        default: return .link(device: device, .flaky, duration)
        }
    }

    mutating func drop(_ indices: Set<Int>) { steps.removeAll { indices.contains($0.index) } }
}
