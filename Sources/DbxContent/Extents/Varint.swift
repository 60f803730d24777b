/// Unsigned LEB128: seven bits a byte, least significant first, the top bit set on all but the last byte.
enum Varint {
    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    /// Takes a number off the front; nil where it is cut off, exceeds 64 bits, or is longer than it need be.
    static func read(from bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for (count, byte) in bytes.prefix(10).enumerated() {
            guard count < 9 || byte <= 1 else { return nil }
            value |= UInt64(byte & 0x7F) << UInt64(7 * count)
            if byte & 0x80 == 0 {
                guard count == 0 || byte != 0 else { return nil }
                bytes = bytes.dropFirst(count + 1)
                return value
            }
        }
        return nil
    }
}
