import DbxModel
import DbxSystem
import DbxTestKit
import Testing

@Suite("Checksums")
struct ChecksumTests {
    /// CRC-32C bit by bit, as RFC 3720 has it.
    private func reference(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
    }

    @Test func `Checksums are those of the standard, whatever the length`() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        let bytes = SeededEntropy(seed: 3).bytes(150_000)
        for count in [0, 1, 7, 8, 9, 4_096, 65_535, 65_536, 65_537, 131_071, 131_072, 150_000] {
            #expect(CRC32C.checksum(Array(bytes[..<count])) == reference(bytes[..<count]), "\(count) bytes")
        }
    }

    @Test func `Frames have checksums of their own`() {
        let bytes = SeededEntropy(seed: 4).bytes(140_000)
        let found = bytes.withUnsafeBytes { CRC32C.checksums($0, frameBytes: 65_536) }
        #expect(found == [bytes[..<65_536], bytes[65_536..<131_072], bytes[131_072...]].map(reference))
    }
}
