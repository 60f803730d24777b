import DbxModel
import DbxTestKit
import Testing
import Zstd

@testable import DbxContent

@Suite("Blocks", .timeLimit(.minutes(1)))
struct BlockTests {
    private let sealer = BlockSealer(convergenceKey: ConvergenceKey(bytes: [UInt8](repeating: 1, count: 32))!)
    private let opener = BlockOpener()

    @Test(
        "come back as they were, compressed or not",
        arguments: [0, 1, 19, 20, 65_527, 65_528, 65_535, 65_536, 65_537, 131_072, 1 << 20, 4 << 20])
    func roundTrip(count: Int) throws {
        for plain in [SeededEntropy(seed: testSeed).noise(count), prose(count)] {
            let block = try sealer.seal(plain.span)
            #expect(try opener.open(block.stored, block.access) == plain, "seed \(testSeed)")
            #expect(block.plainBytes == count)
            #expect(block.stored.count == block.access.layout.storedBytes)
            #expect(block.stored.count <= BlockLayout.maximumStoredBytes)
            try opener.verify(block, holds: plain.span)
        }
    }

    @Test("are raw where compression gains nothing and small where it gains")
    func codecs() throws {
        let noise = try sealer.seal(SeededEntropy(seed: 3).noise(1 << 20).span)
        #expect(noise.access.layout.isRaw)
        let text = try sealer.seal(prose(1 << 20).span)
        #expect(!text.access.layout.isRaw)
        #expect(text.stored.count < 600_000)
        let halfNoise = try sealer.seal((SeededEntropy(seed: 3).noise(1 << 20) + prose(1 << 20)).span)
        #expect(!halfNoise.access.layout.isRaw)
    }

    @Test("of the same content are the same under one key and different under another")
    func convergence() throws {
        let plain = prose(100_000)
        let other = BlockSealer(convergenceKey: ConvergenceKey(bytes: [UInt8](repeating: 2, count: 32))!)
        let first = try sealer.seal(plain.span)
        #expect(try sealer.seal(plain.span).stored == first.stored)
        #expect(try other.seal(plain.span).id != first.id)
    }

    @Test("larger than 4 MiB are refused")
    func tooLong() {
        #expect(throws: BlockError.tooLong) { try sealer.seal([UInt8](repeating: 0, count: 4 << 20 | 1).span) }
    }

    @Test("with a wrong id, key, hash, length or order of frames are not opened")
    func substitution() throws {
        let block = try sealer.seal(SeededEntropy(seed: 5).noise(3 * 65_536).span)
        let other = try sealer.seal(SeededEntropy(seed: 6).noise(3 * 65_536).span)
        let layout = block.access.layout
        #expect(throws: BlockError.wrongID) { try opener.open(other.stored, block.access) }
        #expect(throws: BlockError.notAuthentic(frame: 0)) {
            let secrets = BlockSecrets(key: other.access.secrets.key, payloadHash: block.access.secrets.payloadHash)
            return try opener.open(block.stored, BlockAccess(id: block.id, secrets: secrets, layout: layout))
        }
        #expect(throws: BlockError.wrongLength) { try opener.open(Array(block.stored.dropLast()), block.access) }
        var swapped = block.stored
        let (first, second) = (layout.storedRange(of: 1..<2), layout.storedRange(of: 2..<3))
        swapped.replaceSubrange(first, with: block.stored[second])
        swapped.replaceSubrange(second, with: block.stored[first])
        let access = BlockAccess(id: BlockID(ofStored: swapped), secrets: block.access.secrets, layout: layout)
        #expect(throws: BlockError.notAuthentic(frame: 1)) { try opener.open(swapped, access) }
    }

    @Test("that are raw can be read frame by frame")
    func ranges() throws {
        let random = SeededEntropy(seed: testSeed)
        let plain = random.noise(300_000)
        let block = try sealer.seal(plain.span)
        let layout = block.access.layout
        for _ in 0..<50 {
            let start = random.below(plain.count)
            let range = start..<start + 1 + random.below(plain.count - start)
            let frames = try layout.frames(holding: range)
            let held = layout.plainRange(of: frames)
            #expect(held.contains(range.lowerBound) && held.upperBound >= range.upperBound, "seed \(testSeed)")
            let stored = Array(block.stored[layout.storedRange(of: frames)])
            #expect(try opener.open(frames: frames, stored: stored, block.access) == Array(plain[held]))
        }
        #expect(try layout.frames(holding: 65_536..<131_072) == 1..<2)
        #expect(layout.storedRange(of: 0..<layout.frameCount) == 0..<block.stored.count)
        var damaged = Array(block.stored[layout.storedRange(of: 2..<3)])
        damaged[10] ^= 1
        #expect(throws: BlockError.notAuthentic(frame: 2)) {
            try opener.open(frames: 2..<3, stored: damaged, block.access)
        }
        #expect(throws: BlockError.notReadableByRange) { try layout.frames(holding: 299_999..<300_001) }
        let compressed = try sealer.seal(prose(300_000).span)
        #expect(throws: BlockError.notReadableByRange) { try compressed.access.layout.frames(holding: 0..<1) }
    }

    @Test("damaged anywhere are refused, even when their id and frames are made to fit")
    func fuzz() throws {
        let random = SeededEntropy(seed: testSeed)
        let blocks = try [prose(70_000), random.noise(70_000), []].map { try sealer.seal($0.span) }
        for round in 0..<600 {
            let block = blocks[round % blocks.count]
            let damaged = mutate(block.stored, random)
            guard damaged != block.stored else { continue }
            #expect(throws: BlockError.self, "seed \(testSeed)") { try opener.open(damaged, block.access) }
            let lengths = try? BlockLayout(
                plainBytes: Int64(random.below(100_000)), storedBytes: Int64(damaged.count))
            guard let lengths else { continue }
            let access = BlockAccess(id: BlockID(ofStored: damaged), secrets: block.access.secrets, layout: lengths)
            #expect(throws: BlockError.self, "seed \(testSeed)") { try opener.open(damaged, access) }
        }
    }

    @Test("whose maker holds the keys but builds nonsense are refused without a trap")
    func hostilePayloads() throws {
        let random = SeededEntropy(seed: testSeed)
        let noise = random.noise(200)
        let bomb = try frame(of: [UInt8](repeating: 0, count: 8 << 20))
        for (plainBytes, payload) in [
            (4 << 20, BlockHeader(codec: .zstd, plainBytes: 4 << 20).bytes + bomb),
            (100, BlockHeader(codec: .zstd, plainBytes: 100).bytes + bomb.prefix(99)),
            (4_000_000, BlockHeader(codec: .zstd, plainBytes: 4_000_000).bytes + noise),
            (200, BlockHeader(codec: .zstd, plainBytes: 200).bytes + noise),
            (300, BlockHeader(codec: .raw, plainBytes: 300).bytes + noise),
            (200, BlockHeader(codec: .raw, plainBytes: 199).bytes + noise),
            (200, [2, 0, 0, 0, 0, 0, 0, 200] + noise),
            (200, [1, 2, 0, 0, 0, 0, 0, 200] + noise),
            (200, [1, 0, 2, 0, 0, 0, 0, 200] + noise),
            (200, [1, 0, 0, 1, 0, 0, 0, 200] + noise),
            (200, [1, 0, 1, 0, 255, 255, 255, 255] + noise),
            (10, [1, 0, 1, 0, 0, 0, 0, 10] + noise.prefix(10)),
        ] {
            let (stored, access) = try build(payload, plainBytes: plainBytes)
            #expect(throws: BlockError.self) { try opener.open(stored, access) }
        }
    }

    @Test("that need a base say which")
    func base() throws {
        let base = BlockID(ofStored: [1])
        let payload = BlockHeader(codec: .zstd, hasBase: true, plainBytes: 200).bytes + base.bytes + [0, 0]
        let (stored, access) = try build(payload, plainBytes: 200)
        #expect(throws: BlockError.needsBase(base)) { try opener.open(stored, access) }
    }

    @Test("have lengths that no hostile number escapes")
    func lengths() throws {
        let numbers: [Int64] = [.min, -1, 0, 1, 23, 24, 25, 65_559, 65_560, 65_561, 65_576, 65_577, 4 << 20, .max]
        for plain in numbers {
            for stored in numbers {
                guard let layout = try? BlockLayout(plainBytes: plain, storedBytes: stored) else { continue }
                #expect(BlockLayout.storedBytes(ofBody: layout.bodyBytes) == Int(stored))
                #expect(layout.bodyBytes <= Int(plain))
                #expect(layout.storedRange(of: 0..<layout.frameCount) == 0..<Int(stored))
            }
        }
        for body in [0, 1, 65_535, 65_536, 65_537, 1_000_000, 4 << 20] {
            let stored = BlockLayout.storedBytes(ofBody: body)
            #expect(try BlockLayout(plainBytes: 4 << 20, storedBytes: Int64(stored)).bodyBytes == body)
        }
    }

    @Test("stored long ago still open, and come out the same today")
    func vectors() throws {
        for vector in BlockVector.all {
            let stored = [UInt8](hex: vector.stored)!
            let access = BlockAccess(
                id: BlockID(hex: vector.id)!,
                secrets: BlockSecrets(
                    key: BlockKey(bytes: [UInt8](hex: vector.key)!)!,
                    payloadHash: PayloadHash(bytes: [UInt8](hex: vector.payloadHash)!)!),
                layout: try BlockLayout(plainBytes: Int64(vector.plain.count), storedBytes: Int64(stored.count)))
            #expect(try opener.open(stored, access) == vector.plain)
            // Another version of zstd may compress otherwise; raw blocks never change.
            if access.layout.isRaw {
                let sealed = try sealer.seal(vector.plain.span)
                #expect(sealed.access == access)
                #expect(sealed.stored == stored)
            }
        }
        let manyFrames = try sealer.seal(SeededEntropy(seed: 1).noise(200_000).span)
        #expect(manyFrames.id.hex == "79b3fe3b07dc90a631d9cf5d0fdad07f357e3c33d2c19c7eddceaa7703d2b5df")
    }

    /// Seals any payload at all, as somebody with the keys could.
    private func build(_ payload: [UInt8], plainBytes: Int) throws -> ([UInt8], BlockAccess) {
        let key = BlockKey(bytes: [UInt8](repeating: 9, count: 32))!
        precondition(payload.count <= BlockLayout.headerBytes + BlockLayout.frameBytes)
        var stored: [UInt8] = []
        let cipher = FrameCipher(key: key, frameCount: 1)
        payload.withUnsafeBytes { cipher.seal($0, frame: 0, to: &stored) }
        let access = BlockAccess(
            id: BlockID(ofStored: stored),
            secrets: BlockSecrets(key: key, payloadHash: PayloadHash(bytes: BlockID(ofStored: payload).bytes)!),
            layout: try BlockLayout(plainBytes: Int64(plainBytes), storedBytes: Int64(stored.count)))
        return (stored, access)
    }

    private func frame(of plain: [UInt8]) throws -> [UInt8] {
        var target = [UInt8](repeating: 0, count: ZstdCompressor.bound(plain.count))
        let count = try ZstdCompressor().compress(plain.span, level: 1, into: &target, at: 0)
        return Array(target[..<count])
    }

    private func mutate(_ bytes: [UInt8], _ random: SeededEntropy) -> [UInt8] {
        var bytes = bytes
        switch random.below(4) {
        case 0: bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
        case 1: bytes.removeLast(1 + random.below(bytes.count))
        case 2: bytes += random.noise(1 + random.below(100))
        default: bytes.insert(0, at: random.below(bytes.count))
        }
        return bytes
    }
}
