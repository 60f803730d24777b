import DbxLocalStore
import DbxSyncKit
import DbxTestKit

/// A server and three computers: two that work, and one that only looks.
final class World {
    let here: TestDevice
    let there: TestDevice
    let desk: TestDevice
    private let server: TestServer

    var all: [TestDevice] { [here, there, desk] }
    var working: [TestDevice] { [here, there] }

    init(seed: UInt64) throws {
        let entropy = SeededEntropy(seed: seed)
        func fork() -> SeededEntropy { SeededEntropy(seed: entropy.next()) }
        server = try TestServer(time: FakeTime(), entropy: fork(), inMemory: true)
        let (server, pool) = (server, BlockPool())
        func device(_ name: String) throws -> TestDevice {
            try TestDevice(name, on: server, blocks: pool, entropy: fork(), inMemory: true)
        }
        here = try device("here")
        there = try device("there")
        desk = try device("desk")
        for device in working { device.plansAhead = seed % 3 == 2 }
    }

    /// More than devices ever need.
    private static let mostRounds = 40
    private static let mostCommits = 400

    /// Pulls and pushes until nobody has anything to say.
    func settle() throws {
        for device in all {
            device.isLikeDaemon = true
            device.mostRowsInPage = 1_000
            device.mostUploads = .max
        }
        for _ in 0..<Self.mostRounds {
            var moved = false
            for device in working {
                try device.pull()
                var commits = 0
                while try device.push() {
                    moved = true
                    commits += 1
                    if commits > Self.mostCommits { throw unrest("\(device.name) commits for ever") }
                }
            }
            guard !moved else { continue }
            return try desk.pull()
        }
        throw unrest("they go on for ever")
    }

    private func unrest(_ text: String) -> Violation {
        let refused = working.map { "\($0.name): \($0.trace.suffix(1))" }
        return Violation("never at rest", "\(text); refused last: \(refused)")
    }

    /// Nothing waits, and the stores are sound.
    func check() throws {
        for device in all {
            let pending = try device.store.pendingSummary().files
            guard pending == 0 else { throw Violation("pending", "\(pending) rows on \(device.name) at rest") }
            let dirty = try device.store.dirtyNodes(limit: 3, afterChange: 0).filter { !$0.isOrphan }
            guard dirty.isEmpty else { throw Violation("pending", "on \(device.name): \(dirty)") }
            // Blocks are put into the cache without checksums here.
            let problems = try device.store.check(repairs: false).filter { $0.kind != .cache }
            guard problems.isEmpty else { throw Violation("unsound", "\(device.name): \(problems.map(\.text))") }
        }
    }
}
