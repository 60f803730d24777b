import DbxModel
import Foundation

/// SplitMix64: the same numbers for the same seed on every machine. Used by one test at a time.
final class SeededGenerator: RandomNumberGenerator, Entropy, @unchecked Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Incompressible bytes.
    func noise(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count + 8) { buffer, written in
            for start in stride(from: 0, to: count, by: 8) {
                UnsafeMutableRawBufferPointer(buffer).storeBytes(
                    of: next().littleEndian, toByteOffset: start, as: UInt64.self)
            }
            written = count
        }
    }

    func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}

/// A new seed for each run, or the one in DBXFS_TEST_SEED to replay; printed by every property test that fails.
let testSeed: UInt64 =
    ProcessInfo.processInfo.environment["DBXFS_TEST_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0..<1 << 48)

/// Text that compresses to about a third.
func prose(_ count: Int) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(count + 64)
    var line = 0
    while text.count < count {
        text += Array("line \(line &* 2_654_435_761 & 0xFFFF_FFFF): the quick brown fox jumps over a dog\n".utf8)
        line += 1
    }
    text.removeLast(text.count - count)
    return text
}
