import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import DbxWire
import Testing

@Suite("Fetching parts of blocks", .timeLimit(.minutes(1)))
struct FramesTests {
    private let entropy = SeededEntropy(seed: 11)
    private static let frame = CachedBlock.frameBytes

    /// A file on the server, of which nothing is here.
    private func file(_ fixture: TransferFixture, _ bytes: [UInt8]) throws -> InodeNumber {
        let file = try fixture.makeFile("a")
        try fixture.write(bytes, to: file)
        _ = try fixture.upload(file)
        try fixture.dropCache(file)
        fixture.server.resetCounts()
        return file
    }

    /// The content that the cache has of a frame.
    private func cached(_ frame: Int, of block: BlockNumber, in fixture: TransferFixture) throws -> [UInt8]? {
        guard let cached = fixture.shared.withStore({ $0.cached(.frame(frame, of: block)) }) else { return nil }
        return try fixture.shared.segments.read(count: Int(cached.length), at: cached.location)
    }

    @Test func `Frames of a large raw block come by themselves, the last one shorter, and not again`() throws {
        let fixture = try TransferFixture()
        let bytes = entropy.bytes(3_000_001)
        let file = try file(fixture, bytes)
        for extent in try fixture.content(file) {
            guard case .block(let block, 0) = extent.source else { continue }
            let last = Int(extent.length - 1) / Self.frame
            guard last >= 4 else { continue }
            let content = Array(bytes[Int(extent.offset)..<Int(extent.end)])
            fixture.server.resetCounts()
            #expect(fixture.fetch(BlockPart(block, frames: 1..<3)) == .fetched)
            #expect(fixture.server.counts.rangeBytes == 2 * (Self.frame + 16))
            #expect(try cached(2, of: block, in: fixture) == Array(content[2 * Self.frame..<3 * Self.frame]))
            #expect(fixture.fetch(BlockPart(block, frames: 0..<4)) == .fetched)
            #expect(fixture.server.counts.rangeBytes == 6 * (Self.frame + 16) + 8)
            #expect(fixture.fetch(BlockPart(block, frames: last..<last + 1)) == .fetched)
            #expect(try cached(last, of: block, in: fixture) == Array(content[(last * Self.frame)...]))
            #expect(fixture.fetch(BlockPart(block, frames: 0..<4)) == .fetched)
            #expect(fixture.server.counts.gets[try #require(try fixture.id(block))] == 3)
        }
        for result in try fixture.fetchAll(file) { #expect(result == .fetched) }
        #expect(try fixture.read(file) == bytes)
        #expect(fixture.shared.withStore { $0.cachedBytes } == Int64(bytes.count))
    }

    @Test(arguments: [true, false])
    func `A block that is small or compressed comes whole`(isSmall: Bool) throws {
        let fixture = try TransferFixture()
        let bytes =
            isSmall ? entropy.bytes(200_000) : [UInt8]((0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 / 999) })
        let file = try file(fixture, bytes)
        let block = try #require(try fixture.blocks(file).first)
        #expect(fixture.fetch(BlockPart(block, frames: 1..<2)) == .fetched)
        #expect(fixture.shared.withStore { $0.isCached(block) } && fixture.server.counts.rangeBytes == 0)
    }

    @Test func `A damaged frame is asked for again and never entered, and others of its block can be read`() throws {
        var faults = FakeServer.Faults()
        faults.damage = { _, count in count < 2 }
        let fixture = try TransferFixture(faults)
        let bytes = entropy.bytes(600_000)
        let file = try file(fixture, bytes)
        let block = try #require(try fixture.blocks(file).first)
        let length = try #require(try fixture.content(file).first?.length)
        let middle = (Int(length) / 2) / Self.frame
        #expect(fixture.fetch(BlockPart(block, frames: middle..<middle + 1)) == .fetched)
        #expect(fixture.server.counts.gets.values.allSatisfy { $0 == 3 })
        #expect(
            try cached(middle, of: block, in: fixture)
                == Array(bytes[middle * Self.frame..<min((middle + 1) * Self.frame, Int(length))]))

        faults.damage = { _, _ in true }
        fixture.server.setFaults(faults)
        try fixture.dropCache(file)
        #expect(fixture.fetch(BlockPart(block, frames: middle..<middle + 1), timeout: .seconds(2)) == nil)
        #expect(try cached(middle, of: block, in: fixture) == nil)
        #expect(fixture.fetch(BlockPart(block, frames: 0..<1)) == .fetched)
        #expect(try cached(0, of: block, in: fixture) == Array(bytes[..<Self.frame]))
    }

    @Test func `A part that no block has is not had`() throws {
        let fixture = try TransferFixture()
        let file = try file(fixture, entropy.bytes(400_000))
        let block = try #require(try fixture.blocks(file).first)
        for frames in [5..<200, -1..<2] { #expect(fixture.fetch(BlockPart(block, frames: frames)) == .fetched) }
        #expect(fixture.shared.withStore { $0.isCached(block) })
        #expect(fixture.fetch(BlockPart(BlockNumber(rawValue: 777), frames: 0..<1)) == .failed(.local(.notFound)))
    }
}
