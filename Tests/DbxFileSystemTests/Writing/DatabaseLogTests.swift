import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Synchronization
import Testing

/// SQLite's log goes into the database file when it has grown large, while programs work.
@Suite(.timeLimit(.minutes(2))) struct DatabaseLogTests {
    private static let largestLogBytes: Int64 = 1 << 20

    private func fixture(_ body: (Fixture) throws -> Void) throws {
        var limits = FileSystemLimits()
        limits.largestLogBytes = Self.largestLogBytes
        limits.epochInterval = .seconds(3_600)
        try withFixture(limits: limits, body)
    }

    private func restarts(_ fixture: Fixture) -> Int64 { fixture.shared.withStore { $0.statistics.logRestarts } }
    private func logBytes(_ fixture: Fixture) -> Int64 { fixture.shared.withStore { $0.logBytes } }

    @Test func `a log that was large once does not begin anew with each epoch after`() throws {
        try fixture { fixture in
            var index = 0
            func work(_ count: Int) throws {
                for _ in 0..<count {
                    try fixture.makeFile("f\(index)")
                    index += 1
                }
                try fixture.fileSystem.synchronizeEverything()
            }
            while logBytes(fixture) <= Self.largestLogBytes { try work(100) }
            for _ in 0..<20 { try work(1) }
            #expect(restarts(fixture) == 1)
            #expect(logBytes(fixture) <= Self.largestLogBytes)
        }
    }

    @Test func `it stays small however long programs work`() throws {
        try fixture { fixture in
            let isDone = Atomic(false)
            let epochs = try WorkerThread(name: "epochs") { [fileSystem = fixture.fileSystem] in
                while !isDone.load(ordering: .relaxed) { try? fileSystem.synchronizeEverything() }
            }
            for index in 0..<6_000 { try fixture.makeFile("f\(index)") }
            isDone.store(true, ordering: .relaxed)
            epochs.join()
            try fixture.fileSystem.synchronizeEverything()
            #expect(restarts(fixture) > 0)
            #expect(logBytes(fixture) < 16 * Self.largestLogBytes)
            for index in 0..<6_000 { #expect(try fixture.lookup("f\(index)") != nil) }
        }
    }

    @Test func `more than may be run again is not`() throws {
        try fixture { fixture in
            for index in 0..<100 { try fixture.makeFile("f\(index)") }
            #expect(fixture.shared.withStore { !$0.restartLog(rerunning: 1_000) })
            #expect(restarts(fixture) == 0)
            #expect(fixture.shared.withStore { $0.restartLog(rerunning: .max) })
            #expect(restarts(fixture) == 1)
            for index in 0..<100 { #expect(try fixture.lookup("f\(index)") != nil) }
        }
    }
}
