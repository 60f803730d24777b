import DbxModel
import DbxTestKit
import Testing

@testable import DbxContent

@Suite("Blocks with a base", .timeLimit(.minutes(1)))
struct BlockBaseTests {
    private let sealer = BlockSealer(convergenceKey: ConvergenceKey(bytes: [UInt8](repeating: 1, count: 32))!)
    private let opener = BlockOpener()

    private func base(_ plain: [UInt8]) throws -> BlockBase {
        BlockBase(id: try sealer.seal(plain.span).id, plain: plain)
    }

    private func open(_ block: SealedBlock, _ access: BlockAccess? = nil, base: BlockBase?) throws -> [UInt8] {
        var content: [UInt8] = []
        try opener.open(block.stored, access ?? block.access, base: base) { part in
            part.withUnsafeBytes { content.append(contentsOf: $0) }
        }
        return content
    }

    @Test("hold only what differs, wherever it stands", arguments: [2_000, 300_000, (4 << 20) - 100])
    func differences(count: Int) throws {
        let random = SeededEntropy(seed: testSeed)
        let old = random.noise(count)
        let base = try base(old)
        for place in [0, count / 2, count] {
            let new = Array(old[..<place]) + Array("a new line\n".utf8) + Array(old[place...])
            let block = try #require(try sealer.seal(new.span, against: base, limitBytes: count / 4))
            #expect(block.stored.count < 600, "seed \(testSeed)")
            #expect(try open(block, base: base) == new)
            #expect(!block.access.layout.isRaw)
        }
    }

    @Test("that were stored by the first version open")
    func vector() throws {
        let random = SeededEntropy(seed: BlockVector.base.seed)
        let base = try base((0..<BlockVector.base.numbers).flatMap { _ in random.next().bigEndianBytes })
        #expect(base.id.hex == BlockVector.base.id)
        let vector = BlockVector.withBase(base.plain)
        let stored = [UInt8](hex: vector.stored)!
        let access = BlockAccess(
            id: BlockID(hex: vector.id)!,
            secrets: BlockSecrets(
                key: BlockKey(bytes: [UInt8](hex: vector.key)!)!,
                payloadHash: PayloadHash(bytes: [UInt8](hex: vector.payloadHash)!)!),
            layout: try BlockLayout(plainBytes: Int64(vector.plain.count), storedBytes: Int64(stored.count)),
            base: base.id)
        #expect(try open(SealedBlock(access: access, stored: stored), base: base) == vector.plain)
    }

    @Test("that save too little are not made")
    func noGain() throws {
        let random = SeededEntropy(seed: 2)
        let base = try base(random.noise(100_000))
        #expect(try sealer.seal(random.noise(100_000).span, against: base, limitBytes: 75_000) == nil)
        #expect(try sealer.seal(random.noise(10).span, against: base, limitBytes: 8) == nil)
        #expect(try sealer.seal([UInt8]().span, against: base, limitBytes: 100) == nil)
    }

    @Test("open with their base and with nothing else")
    func wrongBase() throws {
        let old = prose(50_000)
        let base = try base(old)
        let block = try #require(try sealer.seal((old + [1, 2, 3]).span, against: base, limitBytes: 10_000))
        let other = try self.base(prose(60_000))
        #expect(throws: BlockError.needsBase(base.id)) { try open(block, base: nil) }
        #expect(throws: BlockError.needsBase(base.id)) { try open(block, base: other) }
        let untold = BlockAccess(id: block.id, secrets: block.access.secrets, layout: block.access.layout)
        #expect(throws: BlockError.needsBase(base.id)) { try open(block, untold, base: nil) }
        let told = BlockAccess(
            id: block.id, secrets: block.access.secrets, layout: block.access.layout, base: other.id)
        #expect(throws: BlockError.malformed) { try open(block, told, base: other) }
        let liar = BlockBase(id: base.id, plain: other.plain)
        #expect(throws: BlockError.malformed) { try open(block, base: liar) }
        let plain = try sealer.seal(old.span)
        let claimed = BlockAccess(
            id: plain.id, secrets: plain.access.secrets, layout: plain.access.layout, base: base.id)
        #expect(throws: BlockError.malformed) { try open(plain, claimed, base: base) }
    }

    @Test("that were damaged or built to harm are refused without a trap")
    func hostile() throws {
        let random = SeededEntropy(seed: testSeed)
        let old = prose(200_000)
        let base = try base(old)
        let block = try #require(try sealer.seal((old + old.reversed()).span, against: base, limitBytes: 150_000))
        for _ in 0..<300 {
            var stored = block.stored
            stored[random.below(stored.count)] ^= UInt8(1 << random.below(8))
            let access = BlockAccess(
                id: BlockID(ofStored: stored), secrets: block.access.secrets, layout: block.access.layout, base: base.id
            )
            let damaged = SealedBlock(access: access, stored: stored)
            #expect(throws: BlockError.self, "seed \(testSeed)") { try open(damaged, base: base) }
        }
    }
}
