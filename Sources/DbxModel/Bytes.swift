/// Byte helpers shared by identifiers and formats.
extension FixedWidthInteger {
    @inlinable package var bigEndianBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.bitWidth / 8)
        for index in stride(from: Self.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: self >> index))
        }
        return bytes
    }
}

extension Collection<UInt8> {
    /// The first eight bytes at most, most significant first.
    @inlinable package var bigEndianValue: UInt64 {
        var value: UInt64 = 0
        for byte in self { value = value << 8 | UInt64(byte) }
        return value
    }

    package var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(count * 2)
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Decodes hexadecimal digits of either case; nil when a character is no digit or the count is odd.
    package init?(hex: String) {
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case 0x30...0x39: digit - 0x30
            case 0x61...0x66: digit - 0x61 + 10
            case 0x41...0x46: digit - 0x41 + 10
            default: nil
            }
        }
        let digits = Array(hex.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self = bytes
    }

    /// Whether `self` sorts before `other` as memcmp would have it.
    package func precedesBytewise(_ other: [UInt8]) -> Bool { lexicographicallyPrecedes(other) }
}
