import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import Testing

/// Cuts the power, or kills the process, at every write of a random run.
@Suite("A local store on a disk that loses, tears and reorders what was not synced")
struct PowerCutTests {
    @Test(
        "is as at its last epoch after a power cut, and as it was after a kill, at any write, again and again",
        .timeLimit(.minutes(5)), arguments: testSeeds(5))
    func anyMoment(seed: UInt64) throws {
        let first = try StoreWorkload(disk: LossyDisk(), boot: 1, seed: seed)
        try first.run(steps: 70)
        let disks = try Self.breakEverywhere(first, on: SimulatedDisk(), boot: 1, seed: seed)
        // What has survived one power cut works on, and survives the next.
        let entropy = SeededEntropy(seed: seed &+ 1)
        for round in 0..<2 {
            let (disk, state) = entropy.element(of: disks)
            let seed = seed &+ 2 &+ UInt64(round)
            let next = try StoreWorkload(disk: LossyDisk(disk), boot: 2, seed: seed, left: state)
            try next.run(steps: 25)
            _ = try Self.breakEverywhere(next, on: disk, boot: 2, seed: seed)
        }
    }

    @Test(
        "loses nothing on a disk that is full, fails or is read-only for a while at any moment",
        .timeLimit(.minutes(2)),
        arguments: [LossyDisk.Fault.noSpace, .ioError, .readOnly], testSeeds(3))
    func failingDisk(fault: LossyDisk.Fault, seed: UInt64) throws {
        let workload = try StoreWorkload(disk: LossyDisk(), boot: 1, seed: seed)
        try workload.run(steps: 5)
        #expect(try workload.run(steps: 120, failing: fault) > 5)
        try workload.run(steps: 10)
        var disk = SimulatedDisk()
        for operation in try workload.disk.trace() { try disk.apply(operation) }
        let allowed = workload.statesAfterPowerCut(at: workload.disk.position)
        for fate in SimulatedDisk.Fate.allCases {
            let entropy = SeededEntropy(seed: seed)
            _ = try Self.reopened(disk.afterPowerCut(fate, entropy), boots: [2, 2, 3], allowed, entropy)
        }
    }

    enum PlantedFault: CaseIterable {
        case segmentsNotSynced, databaseLogNotSynced, recordNotSynced, directoriesNotSynced, pagesReusedEarly
    }

    @Test(
        "would not pass with a sync left out or a page handed out early", .timeLimit(.minutes(2)),
        arguments: PlantedFault.allCases)
    func plantedFault(fault: PlantedFault) throws {
        let isFound = testSeeds(8).contains { seed in
            do {
                let workload = try StoreWorkload(
                    disk: LossyDisk(), boot: 1, seed: seed, reusesEarly: fault == .pagesReusedEarly)
                try workload.run(steps: 70)
                let disk = SimulatedDisk { path in
                    switch fault {
                    case .segmentsNotSynced: path.hasSuffix(".seg")
                    case .databaseLogNotSynced: path.hasSuffix("/state.db-wal")
                    case .recordNotSynced: path.hasSuffix("/state.epoch")
                    case .directoriesNotSynced: path.hasSuffix("/store") || path.hasSuffix("/segments")
                    case .pagesReusedEarly: false
                    }
                }
                _ = try Self.breakEverywhere(workload, on: disk, boot: 1, seed: seed)
                return false
            } catch {
                return true
            }
        }
        #expect(isFound)
    }

    /// How many changes of the disk a run is broken at, about: at all of them when there are no more.
    private static let breaksPerRun = 400

    /// Returns some of the disks that were left, with what is on them.
    private static func breakEverywhere(
        _ workload: StoreWorkload, on start: SimulatedDisk, boot: UInt8, seed: UInt64
    ) throws -> [(SimulatedDisk, StoreState)] {
        let entropy = SeededEntropy(seed: seed)
        var disk = start
        var left: [(SimulatedDisk, StoreState)] = []
        let trace = try workload.disk.trace()
        for (index, operation) in trace.enumerated() {
            try disk.apply(operation)
            if operation.kind == .open || operation.kind == .close { continue }
            guard entropy.number(below: trace.count) < breaksPerRun else { continue }
            let fate = entropy.element(of: SimulatedDisk.Fate.allCases)
            do {
                let cut = disk.afterPowerCut(fate, entropy)
                let allowed = workload.statesAfterPowerCut(at: operation.end)
                let state = try reopened(cut, boots: [boot + 1, boot + 1, boot + 2], allowed, entropy)
                if allowed != nil, entropy.chance(10) { left.append((cut, state)) }
                if entropy.chance(30) {
                    _ = try reopened(
                        disk.afterKill(), boots: [boot, boot, boot], workload.statesAfterKill(at: operation.end),
                        entropy)
                }
            } catch {
                let before = trace[...index].suffix(12).map(\.description).joined(separator: "\n")
                throw StoreWorkload.Wrong(
                    description: "seed \(seed), operation \(index), \(fate): \(error), after\n\(before)")
            }
        }
        return left
    }

    /// Opens what is on the disk, compares it, and sometimes opens it again and again, in these boots.
    private static func reopened(
        _ disk: SimulatedDisk, boots: [UInt8], _ allowed: Set<StoreState>?, _ entropy: SeededEntropy
    ) throws -> StoreState {
        let directory = TemporaryDirectory(inMemory: true)
        try disk.write(to: directory.path)
        let configuration = StoreWorkload.configuration(on: directory.path)
        let state = try StoreState(try StoreWorkload.open(configuration, boot: boots[0], entropy))
        if let allowed, !allowed.contains(state) {
            let closest = allowed.map { state.differences(from: $0) }.min { $0.count < $1.count }
            throw StoreWorkload.Wrong(description: "a state that never was: \(closest ?? "none was allowed")")
        }
        guard entropy.chance(20) else { return state }
        for next in boots.dropFirst() {
            let store = try StoreWorkload.open(configuration, boot: next, entropy)
            // Cached blocks are synced with nothing: their checksums tell.
            let problems = try store.check(repairs: false).filter { $0.kind != .cache }
            if !problems.isEmpty { throw StoreWorkload.Wrong(description: "\(problems)") }
            let again = try StoreState(store)
            if again != state {
                throw StoreWorkload.Wrong(description: "opened again: \(again.differences(from: state))")
            }
        }
        return state
    }
}
