import DbxTestKit
import Testing
import Zstd

@Suite("Compressed bodies", .timeLimit(.minutes(1)))
struct ZstdCodingTests {
    private let coding = ZstdCoding()

    @Test("come back, and are left alone where that gains nothing", arguments: [0, 511, 512, 5_000, 3 << 20])
    func roundTrip(count: Int) throws {
        let text = prose(count)
        if let encoded = coding.encode(text) {
            #expect(encoded.count < count)
            #expect(try coding.decode(encoded, limitBytes: count) == text)
            #expect(throws: ZstdError.self) { try coding.decode(encoded, limitBytes: count - 1) }
        } else {
            #expect(count < ZstdCoding.fewestBytes)
        }
        #expect(coding.encode(SeededEntropy(seed: 1).noise(count)) == nil)
    }

    @Test("that are cut, followed by something, or none at all are refused")
    func damage() throws {
        let random = SeededEntropy(seed: testSeed)
        let text = prose(100_000)
        let encoded = try #require(coding.encode(text))
        for bytes in [Array(encoded.dropLast()), encoded + [0], [], random.noise(1_000), Array(encoded[..<3])] {
            #expect(throws: ZstdError.self) { try coding.decode(bytes, limitBytes: 1 << 20) }
        }
        for _ in 0..<500 {
            var bytes = encoded
            bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            let plain = try? coding.decode(bytes, limitBytes: 1 << 20)
            #expect(plain.map { $0.count <= 1 << 20 } ?? true, "seed \(testSeed)")
        }
    }

    @Test("cannot be made to hold more than they may")
    func bomb() throws {
        let encoded = try #require(coding.encode([UInt8](repeating: 0, count: 64 << 20)))
        #expect(encoded.count < 10_000)
        #expect(throws: ZstdError.self) { try coding.decode(encoded, limitBytes: 16 << 20) }
    }
}
