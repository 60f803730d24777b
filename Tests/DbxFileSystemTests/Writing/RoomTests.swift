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

    // MARK: A full disk

    /// Somebody may fill the disk before the first epoch.
    @Test func `what has to be written when the disk is full has its room from the start`() throws {
        try withFixture { fixture in
            let directory = fixture.shared.withStore { $0.configuration.directory }
            func room() throws -> [Int64] {
                try ["state.db-wal", "state.log", "segments/staging.log.new"].map { name in
                    try OpenFile(path: "\(directory)/\(name)", .readOnly).allocatedBytes() >> 20
                }
            }
            #expect(try room() == [16, 4, 2])
            _ = try fixture.makeFile("f")
            try fixture.restart()
            #expect(try room() == [16, 4, 2])
        }
    }

    // MARK: Writers ahead of uploads

    /// Uploads are under way that will take for ever.
    private func slowUploads(_ body: (Fixture, InodeNumber) throws -> Void) throws {
        let progress = UploadProgress(outstandingBytes: 1 << 40, bytesPerSecond: 1_000, idleSince: nil)
        try withFixture(stagingLimitBytes: 1 << 20, uploads: { progress }) { fixture in
            try body(fixture, try fixture.makeFile("f"))
        }
    }

    /// Writes until answers are held back, and asks for one.
    private func heldAnswer(_ fixture: Fixture, _ number: InodeNumber) throws -> (Monitor<Bool>, Cancellation) {
        try fixture.write([UInt8](repeating: 1, count: 600 << 10), to: number)
        #expect(fixture.events.seen.isFilling == 1)
        #expect(!fixture.fileSystem.isAheadOfUploads)
        try fixture.write([UInt8](repeating: 1, count: 300 << 10), to: number, at: 600 << 10)
        #expect(fixture.fileSystem.isAheadOfUploads)
        let isAnswered = Monitor(false)
        let wait = fixture.fileSystem.whenUploadsFollow { isAnswered.update { $0 = true } }
        #expect(!isAnswered.withLock { $0 } && fixture.fileSystem.heldAnswers == 1)
        return (isAnswered, wait)
    }

    private func expectAnswer(_ isAnswered: Monitor<Bool>) {
        #expect(isAnswered.wait(timeout: .seconds(20)) { $0 ? true : nil } == true)
    }

    @Test func `a write that is ahead of uploads is done, and its answer waits until a signal comes`() throws {
        try slowUploads { fixture, number in
            let (isAnswered, wait) = try heldAnswer(fixture, number)
            #expect(try fixture.attributes(number).size == 900 << 10)
            #expect(try fixture.read(number, count: 900 << 10) == [UInt8](repeating: 1, count: 900 << 10))
            wait.cancel()
            expectAnswer(isAnswered)
        }
    }

    @Test func `it waits no longer than until there is room, the machine sleeps, or the mount ends`() throws {
        try slowUploads { fixture, number in
            let (isAnswered, _) = try heldAnswer(fixture, number)
            _ = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(size: 0))
            fixture.fileSystem.roomMayHaveGrown()
            expectAnswer(isAnswered)
        }
        try slowUploads { fixture, number in
            let (isAnswered, _) = try heldAnswer(fixture, number)
            fixture.fileSystem.prepareForSleep()
            expectAnswer(isAnswered)
        }
        var last: Monitor<Bool>?
        try slowUploads { fixture, number in (last, _) = try heldAnswer(fixture, number) }
        expectAnswer(try #require(last))
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
