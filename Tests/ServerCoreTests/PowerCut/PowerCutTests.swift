import DbxModel
import DbxServerCore
import DbxTestKit
import Testing

/// Cuts the power, or kills the process, at changes and syncs of random runs of a server.
@Suite("A server on a disk that loses, tears and reorders what was not synced")
struct PowerCutTests {
    @Test(
        "has all that it answered after a power cut or a kill at any moment, again and again",
        .timeLimit(.minutes(5)), arguments: testSeeds(2))
    func anyMoment(seed: UInt64) throws {
        let first = try ServerWorkload(disk: LossyDisk(), seed: seed)
        try first.run(steps: 60)
        let left = try Self.breakEverywhere(first, on: SimulatedDisk(), seed: seed)
        // What has survived works on, and survives the next.
        let entropy = SeededEntropy(seed: seed &+ 1)
        for round in 0..<2 {
            let (disk, promises) = entropy.element(of: left)
            let seed = seed &+ 2 &+ UInt64(round)
            let next = try ServerWorkload(disk: LossyDisk(disk.afterKill()), seed: seed, left: promises)
            try next.run(steps: 20)
            _ = try Self.breakEverywhere(next, on: disk, seed: seed)
        }
    }

    @Test(
        "has all that it answered after a power cut when it was killed before, between a name and its sync",
        .timeLimit(.minutes(2)), arguments: testSeeds(1))
    func killedBefore(seed: UInt64) throws {
        let first = try ServerWorkload(disk: LossyDisk(), seed: seed)
        try first.run(steps: 12)
        var disk = SimulatedDisk()
        let names: Set<DiskOperation.Kind> = [.makeDirectory, .create, .link]
        for operation in try first.disk.trace() {
            try disk.apply(operation)
            guard names.contains(operation.kind) else { continue }
            let kept = try Self.check(disk.afterKill(), first.promises, at: operation.end, seed)
            let left = first.promises.settled(keeping: kept, at: operation.end)
            // An account without a tree to compare with is no beginning.
            if kept == 0, !left.accounts.isEmpty { continue }
            let next = try ServerWorkload(
                disk: LossyDisk(disk.afterKill()), seed: seed &+ 1, left: left.accounts.isEmpty ? nil : left)
            var after = disk
            for operation in try next.disk.trace() { try after.apply(operation) }
            do {
                let cut = after.afterPowerCut(.nothing, SeededEntropy(seed: seed))
                _ = try Self.check(cut, next.promises, at: next.disk.position, seed)
            } catch {
                throw ServerPromises.Wrong(description: "killed after \(operation): \(error)")
            }
        }
    }

    @Test(
        "loses nothing on a disk that is full, fails or is read-only for a while at any moment",
        .timeLimit(.minutes(2)),
        arguments: [LossyDisk.Fault.noSpace, .ioError, .readOnly], testSeeds(2))
    func failingDisk(fault: LossyDisk.Fault, seed: UInt64) throws {
        let workload = try ServerWorkload(disk: LossyDisk(), seed: seed)
        try workload.run(steps: 5)
        #expect(try workload.run(steps: 100, failing: fault) > 5)
        try workload.run(steps: 10)
        var disk = SimulatedDisk()
        for operation in try workload.disk.trace() { try disk.apply(operation) }
        for fate in SimulatedDisk.Fate.allCases {
            let cut = disk.afterPowerCut(fate, SeededEntropy(seed: seed))
            _ = try Self.check(cut, workload.promises, at: workload.disk.position, seed)
        }
    }

    enum PlantedFault: CaseIterable {
        case objectsNotSynced, objectDirectoriesNotSynced, databaseLogNotSynced, keyNotSynced
    }

    @Test("would not pass with a sync left out", .timeLimit(.minutes(2)), arguments: PlantedFault.allCases)
    func plantedFault(fault: PlantedFault) throws {
        let isFound = testSeeds(6).contains { seed in
            do {
                let workload = try ServerWorkload(disk: LossyDisk(), seed: seed)
                try workload.run(steps: 30)
                let disk = SimulatedDisk { path in
                    switch fault {
                    case .objectsNotSynced: path.contains("/uploads/")
                    case .objectDirectoriesNotSynced: path.contains("/objects")
                    case .databaseLogNotSynced: path.hasSuffix("/metadata.db-wal")
                    case .keyNotSynced: path.contains("/master.key")
                    }
                }
                _ = try Self.breakEverywhere(workload, on: disk, seed: seed)
                return false
            } catch {
                return true
            }
        }
        #expect(isFound)
    }

    /// How many changes of the disk a run is broken at, about.
    private static let breaksPerRun = 100

    /// Returns some of the disks that were left, with what is on them.
    private static func breakEverywhere(
        _ workload: ServerWorkload, on start: SimulatedDisk, seed: UInt64
    ) throws -> [(SimulatedDisk, ServerPromises)] {
        let entropy = SeededEntropy(seed: seed)
        var disk = start
        var left: [(SimulatedDisk, ServerPromises)] = []
        let trace = try workload.disk.trace()
        for (index, operation) in trace.enumerated() {
            try disk.apply(operation)
            if operation.kind == .open || operation.kind == .close { continue }
            guard entropy.number(below: trace.count) < breaksPerRun else { continue }
            let fate = entropy.element(of: SimulatedDisk.Fate.allCases)
            do {
                // A killed process has lost nothing, but what it did may still be on no disk.
                let isKilled = entropy.chance(25)
                let broken = isKilled ? disk : disk.afterPowerCut(fate, entropy)
                let kept = try check(broken.afterKill(), workload.promises, at: operation.end, entropy.next())
                if kept > 0 { left.append((broken, workload.promises.settled(keeping: kept, at: operation.end))) }
            } catch {
                let before = trace[...index].suffix(12).map(\.description).joined(separator: "\n")
                throw ServerPromises.Wrong(
                    description: "seed \(seed), operation \(index), \(fate): \(error), after\n\(before)")
            }
        }
        return left
    }

    /// Opens what is on the disk and holds it to what was promised; returns how many commits are there.
    private static func check(
        _ disk: SimulatedDisk, _ promises: ServerPromises, at position: Int, _ seed: UInt64
    ) throws -> Int {
        let directory = TemporaryDirectory(inMemory: true)
        try disk.write(to: directory.path)
        let fixture = try TestServer(
            dataDirectory: ServerWorkload.dataDirectory(on: directory.path), time: FakeTime(),
            entropy: SeededEntropy(seed: seed))
        return try promises.check(fixture, at: position)
    }
}
