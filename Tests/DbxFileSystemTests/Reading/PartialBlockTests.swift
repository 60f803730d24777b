import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import Testing

@testable import DbxFileSystem

/// Blocks of which only some frames are here.
@Suite(.timeLimit(.minutes(2))) struct PartialBlockTests {
    private static let frame = CachedBlock.frameBytes
    private static let blockBytes = 1 << 20
    private static let fileBytes = 12 << 20

    private func large(
        _ fixture: Fixture, seed: UInt64 = 1, bytes count: Int = fileBytes
    ) throws -> (number: InodeNumber, bytes: [UInt8]) {
        let entropy = SeededEntropy(seed: seed)
        let bytes = (0..<count / 8).map { _ in entropy.next() }.withUnsafeBytes { [UInt8]($0) }
        return (try fixture.makeRemoteFile("f", bytes, blockBytes: Self.blockBytes), bytes)
    }

    @Test func `reads here and there of a large file ask for frames, and for each once`() throws {
        try withFixture { fixture in
            let (number, bytes) = try large(fixture)
            for (offset, frames) in [(9_000_000, 1), (5 << 20, 1), (7 * Self.frame + (3 << 20) - 1, 2)] {
                let before = fixture.blocks.demandedParts.count
                #expect(
                    try fixture.read(number, at: Int64(offset), count: 4_096) == Array(bytes[offset..<offset + 4_096]))
                let asked = fixture.blocks.demandedParts[before...]
                #expect(asked.reduce(0) { $0 + ($1.frames?.count ?? 100) } == frames)
                _ = try fixture.read(number, at: Int64(offset), count: 4_096)
                #expect(fixture.blocks.demandedParts.count == before + asked.count)
            }
            #expect(fixture.shared.withStore { $0.cachedBytes } == Int64(4 * Self.frame))
            #expect(fixture.blocks.readAhead.isEmpty)
        }
    }

    @Test func `a stretch that is read on, or a small file, comes by whole blocks`() throws {
        try withFixture { fixture in
            let (number, bytes) = try large(fixture)
            let opened = try fixture.fileSystem.open(number, options: [], by: fixture.caller)
            for place in stride(from: 6 << 20, to: 7 << 20, by: 32 << 10) {
                #expect(
                    try fixture.read(opened.handle, at: Int64(place), count: 32 << 10)
                        == Array(bytes[place..<place + (32 << 10)]))
            }
            fixture.fileSystem.release(opened.handle)
            let asked = fixture.blocks.demandedParts
            #expect(asked.first?.frames == 0..<1 && asked.contains { $0.frames == nil })
            #expect(asked.count { $0.frames != nil } <= 3)

            let small = try fixture.makeRemoteFile("small", Array(bytes[..<(4 << 20)]), blockBytes: Self.blockBytes)
            _ = try fixture.read(small, at: 3 << 20, count: 4_096)
            #expect(fixture.blocks.demandedParts.last?.frames == nil)
        }
    }

    @Test func `a program that reads from the beginning in large pieces gets whole blocks at once`() throws {
        var readahead = Readahead()
        #expect(readahead.wantsBlocks(for: 0..<131_072, size: 1 << 30))
        #expect(!readahead.wantsBlocks(for: 0..<16_384, size: 1 << 30))
        #expect(!readahead.wantsBlocks(for: 500 << 20..<501 << 20, size: 1 << 30))
        _ = readahead.next(after: 0..<16_384, size: 1 << 30)
        #expect(readahead.wantsBlocks(for: 16_384..<131_072, size: 1 << 30))
    }

    @Test func `the whole of a block replaces its frames, and evicting it takes them too`() throws {
        try withFixture { fixture in
            let (number, bytes) = try large(fixture)
            for place in [0, 5, 15] {
                _ = try fixture.read(number, at: Int64(place * Self.frame + (4 << 20)), count: 10)
            }
            let block = try #require(fixture.blocks.demanded.first)
            let frames = try fixture.shared.withStore { store in try store.content(of: number) }
                .blocks.first { $0.number == block }
            #expect(frames?.cachedBytes == nil && frames?.frameBytes == Int64(3 * Self.frame))
            #expect(try fixture.shared.withStore { try $0.places(of: number) }.cachedBytes == Int64(3 * Self.frame))
            fixture.blocks.fetch(block, priority: .background) { _ in }
            #expect(fixture.shared.withStore { $0.cachedBytes } == Int64(Self.blockBytes))
            #expect(try fixture.read(number, at: 4 << 20, count: 100) == Array(bytes[4 << 20..<(4 << 20) + 100]))
            #expect(try fixture.shared.withStore { try $0.evict(block) } == Int64(Self.blockBytes))
            _ = try fixture.read(number, at: 4 << 20, count: 10)
            #expect(try fixture.shared.withStore { try $0.evict(block) } == Int64(Self.frame))
            #expect(fixture.shared.withStore { $0.cachedBytes } == 0)
        }
    }

    @Test func `a damaged frame is noticed after a restart and fetched again, alone`() throws {
        let fixture = try Fixture()
        defer { fixture.close() }
        let (number, bytes) = try large(fixture)
        let places = [Int64(6 << 20), 9 << 20]
        for place in places { _ = try fixture.read(number, at: place, count: 10) }
        let part = try #require(fixture.blocks.demandedParts.first)
        let frame = try #require(
            fixture.shared.withStore { $0.cached(.frame(part.frames!.lowerBound, of: part.block)) })
        try fixture.shared.segments.write([0xAA, 0xBB], at: frame.location.advanced(by: 500))
        try fixture.restart()
        for place in places {
            #expect(try fixture.read(number, at: place, count: 1_000) == Array(bytes[Int(place)..<Int(place) + 1_000]))
        }
        #expect(fixture.blocks.demandedParts.count == 3 && fixture.blocks.demandedParts[2] == part)
    }

    @Test(arguments: testSeeds(3))
    func `any mix of reads, whole blocks, evictions, pins, writes, damage and restarts shows the file's bytes`(
        _ seed: UInt64
    ) throws {
        let (fileBytes, cacheBytes) = (5 << 20, Int64(3 << 20))
        let fixture = try Fixture(cacheLimitBytes: cacheBytes)
        defer { fixture.close() }
        let entropy = SeededEntropy(seed: seed)
        var (number, bytes) = try large(fixture, seed: seed, bytes: fileBytes)
        var handle = try fixture.fileSystem.open(number, options: .write, by: fixture.caller).handle
        var position = 0
        for step in 0..<300 {
            let place = entropy.number(below: fileBytes - 1)
            let block = try block(of: number, at: place, in: fixture)
            switch entropy.number(below: 40) {
            case 0: fixture.blocks.fetch(block, priority: .background) { _ in }
            case 1: _ = try fixture.shared.withStore { try $0.evict(block) }
            case 2:
                try fixture.shared.withStore { store in
                    if store.pinnedBlockNumbers.isEmpty { try store.setPinnedBlocks(adding: [block], removing: []) }
                }
            case 3:
                try fixture.shared.withStore { try $0.setPinnedBlocks(adding: [], removing: $0.pinnedBlockNumbers) }
            case 4:
                let new = entropy.bytes(entropy.number(in: 1..<9_000))
                let end = min(place + new.count, bytes.count)
                try fixture.write(Array(new[..<(end - place)]), to: number, at: Int64(place))
                bytes.replaceSubrange(place..<end, with: new[..<(end - place)])
            case 5:
                fixture.fileSystem.release(handle)
                try damageSomething(in: fixture, entropy)
                try fixture.restart()
                number = try #require(try fixture.lookup("f")?.number)
                handle = try fixture.fileSystem.open(number, options: .write, by: fixture.caller).handle
            default:
                if entropy.chance(50) { position = place }
                let count = min(entropy.number(in: 1..<(entropy.chance(80) ? 20_000 : 300_000)), bytes.count - position)
                let read = try fixture.read(handle, at: Int64(position), count: count)
                #expect(read == Array(bytes[position..<position + count]), "step \(step) of seed \(seed)")
                position = min(position + count, bytes.count - 1)
            }
        }
        fixture.fileSystem.release(handle)
        // What was damaged last may not have been read since.
        let problems = try fixture.shared.withStore { try $0.check(repairs: false) }
        #expect(problems.filter { !$0.text.hasSuffix("is damaged") } == [], "seed \(seed)")
        #expect(fixture.shared.withStore { $0.cachedBytes <= cacheBytes })
        #expect(fixture.blocks.demandedParts.contains { $0.frames != nil }, "seed \(seed)")
    }

    /// The block that holds a place of the file, or another one where something unsent lies there.
    private func block(of number: InodeNumber, at place: Int, in fixture: Fixture) throws -> BlockNumber {
        let blocks = try fixture.shared.withStore { store in try store.content(of: number) }.blocks
        return blocks[min(place / Self.blockBytes, blocks.count - 1)].number
    }

    /// Two bytes of something cached become others.
    private func damageSomething(in fixture: Fixture, _ entropy: SeededEntropy) throws {
        let items = fixture.blocks.demandedParts.flatMap { part in
            part.frames.map { $0.map { CacheItem.frame($0, of: part.block) } } ?? [.whole(part.block)]
        }
        let cached = items.compactMap { item in fixture.shared.withStore { $0.cached(item) } }
        guard !cached.isEmpty else { return }
        let victim = cached[entropy.number(below: cached.count)]
        let place = victim.location.advanced(by: Int64(entropy.number(below: Int(victim.length) - 2)))
        let now = try fixture.shared.segments.read(count: 2, at: place)
        try fixture.shared.segments.write(now.map { $0 ^ 0x55 }, at: place)
    }
}
