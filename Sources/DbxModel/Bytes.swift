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

    package var hex: String { Array(self).hex }
}

/// Ids are read and written by the million, and what is generic is not specialised in other modules.
extension UInt64 {
    package var bigEndianBytes: [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 8) { buffer, count in
            for index in 0..<8 { unsafe buffer[index] = UInt8(truncatingIfNeeded: self >> (56 - 8 * index)) }
            count = 8
        }
    }
}

extension [UInt8] {
    /// The eight bytes from `index` on, most significant first.
    package func bigEndianWord(at index: Int) -> UInt64 {
        var value: UInt64 = 0
        for position in index..<index + 8 { value = value << 8 | UInt64(self[position]) }
        return value
    }

    package var hex: String {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
        return unsafe String(unsafeUninitializedCapacity: count * 2) { buffer in
            var end = 0
            for byte in self {
                unsafe buffer[end] = digit(byte >> 4)
                unsafe buffer[end + 1] = digit(byte & 15)
                end += 2
            }
            return end
        }
    }

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
