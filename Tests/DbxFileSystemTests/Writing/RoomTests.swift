import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite(.timeLimit(.minutes(1))) struct RoomTests {
    private func fixture(_ body: (Fixture) throws -> Void) throws {
        var limits = FileSystemLimits()
        limits.roomPatience = .milliseconds(400)
        try withFixture(stagingLimitBytes: 1 << 20, limits: limits, body)
    }

    private func waiting(_ fixture: Fixture, _ number: InodeNumber, at offset: Int64) -> (
        Monitor<Result<Int, Errno>?>, Cancellation
    ) {
        let outcome = Monitor<Result<Int, Errno>?>(nil)
        let wait = fixture.fileSystem.writeWhenRoom([UInt8](repeating: 2, count: 1 << 19), to: number, at: offset) {
            result in outcome.update { $0 = result }
        }
        return (outcome, wait)
    }

    @Test func `a write that finds staging full waits and goes on when there is room`() throws {
        try fixture { fixture in
            let number = try fixture.makeFile("f")
            let other = try fixture.makeFile("g")
            try fixture.write([UInt8](repeating: 1, count: 1 << 20), to: other)
            let half = [UInt8](repeating: 2, count: 1 << 19)
            #expect(try fixture.fileSystem.writeAtOnce(half.span.bytes, to: number, at: 0) == nil)
            let (outcome, _) = waiting(fixture, number, at: 0)
            _ = try fixture.fileSystem.setAttributes(of: other, to: AttributeChange(size: 0))
            fixture.fileSystem.roomMayHaveGrown()
            #expect(outcome.wait(timeout: .seconds(20)) { $0 } == .success(1 << 19))
            #expect(try fixture.read(number) == half)
        }
    }

    @Test func `without progress it ends with ENOSPC, and a signal ends it before`() throws {
        try fixture { fixture in
            let number = try fixture.makeFile("f")
            try fixture.write([UInt8](repeating: 1, count: 1 << 20), to: number)
            let (first, _) = waiting(fixture, number, at: 1 << 20)
            let (second, wait) = waiting(fixture, number, at: 1 << 20)
            wait.cancel()
            #expect(second.wait(timeout: .seconds(20)) { $0 } == .failure(.interrupted))
            #expect(first.wait(timeout: .seconds(20)) { $0 } == .failure(.noSpace))
            #expect(fixture.events.seen.isFull > 0)
            #expect(try fixture.attributes(number).size == 1 << 20)
        }
    }

    @Test func `a quota known to be full refuses at once`() throws {
        try fixture { fixture in
            let number = try fixture.makeFile("f")
            fixture.fileSystem.setQuota(StorageQuota(limitBytes: 10, usedBytes: 10))
            expect(.quotaExceeded) { try fixture.write([1], to: number) }
            fixture.fileSystem.setQuota(nil)
            try fixture.write([1], to: number)
        }
    }

    @Test func `fsync makes an epoch, and one that finds nothing new makes none`() throws {
        try fixture { fixture in
            let number = try fixture.makeFile("f")
            try fixture.write([1, 2, 3], to: number)
            try fixture.synchronize(number)
            let epochs = fixture.shared.withStore { $0.statistics.epochs }
            try fixture.synchronize(.root)
            #expect(fixture.shared.withStore { $0.statistics.epochs } <= epochs + 1)
            try fixture.restart()
            #expect(try fixture.read(number) == [1, 2, 3])
        }
    }
}
