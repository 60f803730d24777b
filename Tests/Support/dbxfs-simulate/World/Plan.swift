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
        case pause(device: Int, Duration)
        case metered(device: Int, Duration)
        /// All that is cached and on the server goes.
        case evict(device: Int)
        /// Its wall clock is set.
        case clock(device: Int, by: Duration)
        /// Somebody decides about what the mass-change guard holds back there, if anything.
        case decide(device: Int, undoing: Bool)
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
    /// In the end only those are started again that have to be: what a start would put right shows.
    let goesOn: Bool
    /// Ignore rules come and go.
    let hasRules: Bool
    /// A few deletions and rewrites are many.
    let isGuarded: Bool
    /// Folders say that texts are merged, and more is written to files that there are.
    let merges: Bool
    private(set) var steps: [Step] = []

    init(seed: UInt64) {
        let entropy = SeededEntropy(seed: seed)
        devices = 2 + [0, 0, 0, 0, 1, 1, 1, 2, 3][entropy.number(below: 9)]
        let programs = 20 + entropy.number(below: 60)
        // Some runs are calm, some are a storm.
        let faults = entropy.chance(15) ? 0 : entropy.number(below: 9)
        let milliseconds = 5_000 + entropy.number(below: 60_000)
        isSolo = seed % 8 == 7
        goesOn = [3, 6, 9].contains(seed % 10)
        hasRules = [2, 9].contains(seed % 10)
        isGuarded = seed % 10 == 4
        merges = seed % 10 == 8
        var actions = (0..<programs).map { [isSolo] _ in
            let device = entropy.number(below: devices)
            return Action.program(device: isSolo ? 0 : device, Self.kind(entropy))
        }
        actions += (0..<faults).map { _ in Action.fault(Self.fault(entropy, devices: devices)) }
        if isSolo { actions.removeAll { if case .fault(.badDisk) = $0 { true } else { false } } }
        if seed % 5 == 0, !isSolo { actions += Self.restores(SeededEntropy(seed: ~seed)) }
        if goesOn { actions += Self.habits(SeededEntropy(seed: ~seed), devices: devices) }
        if hasRules { actions += Self.rules(SeededEntropy(seed: ~seed &* 3), devices: isSolo ? 1 : devices) }
        if isGuarded { actions += Self.decisions(SeededEntropy(seed: ~seed &* 5), devices: devices) }
        if merges { actions += Self.merges(SeededEntropy(seed: ~seed &* 7), devices: devices) }
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

    private static func rules(_ entropy: SeededEntropy, devices: Int) -> [Action] {
        (0..<1 + entropy.number(below: 4)).map { _ in
            .program(device: entropy.number(below: devices), .rules)
        }
    }

    private static func merges(_ entropy: SeededEntropy, devices: Int) -> [Action] {
        let rules = (0..<4 + entropy.number(below: 6)).map { _ in Program.Kind.merging }
        let edits = (0..<20 + entropy.number(below: 40)).map { _ in
            entropy.element(of: [Program.Kind.make, .patch, .patch, .patch, .patch, .append, .save, .move])
        }
        return (rules + edits).map { .program(device: entropy.number(below: devices), $0) }
    }

    private static func decisions(_ entropy: SeededEntropy, devices: Int) -> [Action] {
        (0..<2 + entropy.number(below: 6)).map { _ in
            .fault(.decide(device: entropy.number(below: devices), undoing: entropy.chance(50)))
        }
    }

    /// What people do to a mount, and what only a process that lives on has to cope with; of some seeds only too.
    private static func habits(_ entropy: SeededEntropy, devices: Int) -> [Action] {
        (0..<2 + entropy.number(below: 5)).map { _ in
            let device = entropy.number(below: devices)
            let duration = Duration.milliseconds(500 + entropy.number(below: 20_000))
            switch entropy.number(below: 7) {
            case 0: return .fault(.pause(device: device, duration))
            case 1: return .fault(.metered(device: device, duration))
            case 2: return .fault(.evict(device: device))
            case 3, 4: return .fault(.link(device: device, .busy, duration))
            case 5: return .fault(.link(device: device, .breaking, duration))
            default:
                let days = entropy.element(of: [-3_000, -1, 1, 400])
                return .fault(.clock(device: device, by: .seconds(days * 86_400)))
            }
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

    /// Whether its disk fails, which a daemon does not get over.
    func failsDisk(of device: Int) -> Bool {
        steps.contains { if case .fault(.badDisk(device, _, _)) = $0.action { true } else { false } }
    }

    mutating func drop(_ indices: Set<Int>) { steps.removeAll { indices.contains($0.index) } }
}
