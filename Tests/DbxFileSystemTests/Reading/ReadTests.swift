import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite(.timeLimit(.minutes(1))) struct ReadTests {
    private func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 9) } }

    @Test func `missing blocks are fetched, and only those that are read`() throws {
        try withFixture { fixture in
            let bytes = pattern(1 << 20)
            let number = try fixture.makeRemoteFile("f", bytes)
            #expect(try fixture.read(number, at: 200_000, count: 4_096) == Array(bytes[200_000..<204_096]))
            #expect(fixture.blocks.demanded.count == 1 && fixture.blocks.readAhead.isEmpty)
            #expect(try fixture.read(number, at: 65_000, count: 2_000) == Array(bytes[65_000..<67_000]))
            #expect(fixture.blocks.demanded.count == 3)
            #expect(try fixture.read(number, at: 200_000, count: 4_096) == Array(bytes[200_000..<204_096]))
            #expect(fixture.blocks.demanded.count == 3)
            #expect(try fixture.read(number, at: 1 << 20, count: 10).isEmpty)
        }
    }

    @Test func `what was written here lies over what is remote`() throws {
        try withFixture { fixture in
            var bytes = pattern(300_000)
            let number = try fixture.makeRemoteFile("f", bytes)
            for offset in [0, 65_530, 131_072, 299_990] {
                let new = [UInt8](repeating: UInt8(offset & 0xFF), count: 100)
                try fixture.write(new, to: number, at: Int64(offset))
                if bytes.count < offset + 100 { bytes += [UInt8](repeating: 0, count: offset + 100 - bytes.count) }
                bytes.replaceSubrange(offset..<offset + 100, with: new)
            }
            #expect(try fixture.read(number) == bytes)
        }
    }

    @Test(arguments: [
        (FetchFailure.serverAway, Errno.hostDown), (.timedOut, .timedOut), (.missing, .ioError),
    ])
    func `a failed fetch is an error of the read, and the next read tries again`(
        _ failure: FetchFailure, _ error: Errno
    ) throws {
        try withFixture { fixture in
            let bytes = pattern(100_000)
            let number = try fixture.makeRemoteFile("f", bytes)
            fixture.blocks.fail(with: failure)
            expect(error) { _ = try fixture.read(number) }
            fixture.blocks.fail(with: nil)
            #expect(try fixture.read(number) == bytes)
        }
    }

    @Test func `an interrupted read ends at once and gives its fetches up`() throws {
        try withFixture { fixture in
            let number = try fixture.makeRemoteFile("f", pattern(200_000))
            let opened = try fixture.fileSystem.open(number, options: [], by: fixture.caller)
            fixture.blocks.hold()
            let receiver = Receiver()
            let read = fixture.fileSystem.read(opened.handle, at: 0, count: 200_000, receiver: receiver)
            #expect(fixture.blocks.waiting == 4 && !receiver.isAnswered)
            read.cancel()
            expect(.interrupted) { _ = try receiver.wait() }
            #expect(fixture.blocks.waiting == 0)
            read.cancel()
            fixture.fileSystem.release(opened.handle)
        }
    }

    @Test func `a read completes when the last of its blocks arrives`() throws {
        try withFixture { fixture in
            let bytes = pattern(200_000)
            let number = try fixture.makeRemoteFile("f", bytes)
            let opened = try fixture.fileSystem.open(number, options: [], by: fixture.caller)
            fixture.blocks.hold()
            let receiver = Receiver()
            _ = fixture.fileSystem.read(opened.handle, at: 0, count: 200_000, receiver: receiver)
            fixture.blocks.letGo()
            #expect(try receiver.wait() == bytes)
            fixture.fileSystem.release(opened.handle)
        }
    }

    @Test func `sequential reading fetches ahead with a growing window, random reading does not`() throws {
        try withFixture { fixture in
            let number = try fixture.makeRemoteFile("f", pattern(4 << 20))
            var opened = try fixture.fileSystem.open(number, options: [], by: fixture.caller)
            for place in stride(from: Int64(3 << 20), to: 0, by: -(5 << 18)) {
                _ = try fixture.read(opened.handle, at: place, count: 4_096)
            }
            #expect(fixture.blocks.readAhead.isEmpty)
            fixture.fileSystem.release(opened.handle)
            opened = try fixture.fileSystem.open(number, options: [], by: fixture.caller)
            for place in stride(from: 0, to: Int64(1 << 20), by: 128 << 10) {
                _ = try fixture.read(opened.handle, at: place, count: 128 << 10)
            }
            #expect(fixture.blocks.readAhead.count > 16)
            fixture.fileSystem.release(opened.handle)
        }
    }

    @Test func `what comes next is on its way before the read that is waited for has ended`() throws {
        try withFixture { fixture in
            let bytes = pattern(2 << 20)
            let number = try fixture.makeRemoteFile("f", bytes)
            let opened = try fixture.fileSystem.open(number, options: [], by: fixture.caller)
            fixture.blocks.hold()
            let receiver = Receiver()
            _ = fixture.fileSystem.read(opened.handle, at: 0, count: 512 << 10, receiver: receiver)
            #expect(!fixture.blocks.readAhead.isEmpty && !receiver.isAnswered)
            fixture.blocks.letGo()
            #expect(try receiver.wait() == Array(bytes[..<(512 << 10)]))
            fixture.fileSystem.release(opened.handle)
        }
    }

    @Test func `a full cache makes room for what is read`() throws {
        try withFixture(cacheLimitBytes: 256 << 10) { fixture in
            let bytes = pattern(1 << 20)
            let number = try fixture.makeRemoteFile("f", bytes)
            for round in 0..<2 {
                for place in stride(from: 0, to: bytes.count, by: 100_000) {
                    let end = min(place + 100_000, bytes.count)
                    let read = try fixture.read(number, at: Int64(place), count: 100_000)
                    #expect(read == Array(bytes[place..<end]), "round \(round), place \(place)")
                }
            }
        }
    }

    @Test func `a damaged block in the cache is noticed after a restart and fetched again`() throws {
        let bytes = pattern(100_000)
        let fixture = try Fixture()
        defer { fixture.close() }
        let number = try fixture.makeRemoteFile("f", bytes)
        #expect(try fixture.read(number) == bytes)
        let places = fixture.shared.withStore { store in
            fixture.blocks.demanded.compactMap { store.cached($0)?.location }
        }
        for place in places { try fixture.shared.segments.write([0xAA, 0xBB], at: place.advanced(by: 500)) }
        try fixture.restart()
        #expect(try fixture.read(number) == bytes)
        #expect(fixture.blocks.demanded.count == 2 * places.count)
    }

    @Test(.timeLimit(.minutes(1))) func `what is cached and damaged is waited for no longer than what is missing`()
        throws
    {
        var limits = FileSystemLimits()
        limits.longestRead = .milliseconds(300)
        let fixture = try Fixture(limits: limits)
        defer { fixture.close() }
        let number = try fixture.makeRemoteFile("f", pattern(100_000))
        _ = try fixture.read(number)
        let places = fixture.shared.withStore { store in
            fixture.blocks.demanded.compactMap { store.cached($0)?.location }
        }
        for place in places { try fixture.shared.segments.write([0xAA, 0xBB], at: place.advanced(by: 500)) }
        try fixture.restart()
        fixture.blocks.hold()
        expect(.timedOut) { _ = try fixture.read(number) }
    }

    @Test(arguments: [true, false])
    func `what the disk does not read of the cache is fetched again`(isRestarted: Bool) throws {
        let bytes = pattern(10_000)
        let fixture = try Fixture()
        defer { fixture.close() }
        let number = try fixture.makeRemoteFile("f", bytes)
        #expect(try fixture.read(number) == bytes)
        let count = fixture.blocks.demanded.count
        if isRestarted { try fixture.restart() }
        try fixture.loseSegments()
        #expect(try fixture.read(number) == bytes)
        #expect(fixture.blocks.demanded.count == 2 * count)
    }
}
