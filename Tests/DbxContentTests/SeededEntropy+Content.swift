import DbxModel
import DbxTestKit
import Foundation

/// Content made of random numbers.
extension SeededEntropy {
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

/// A new seed for each run, or the one in DBXFS_SEED to replay; printed by every property test that fails.
let testSeed: UInt64 =
    ProcessInfo.processInfo.environment["DBXFS_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0..<1 << 48)

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
