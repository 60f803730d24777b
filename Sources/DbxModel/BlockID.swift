/// The name of a block: the SHA-256 of its stored (compressed, encrypted) form.
package struct BlockID: Hashable, Comparable, Sendable {
    private let words: InlineWords

    private struct InlineWords: Hashable, Sendable {
        var a, b, c, d: UInt64
    }

    /// Nil unless `bytes` are exactly 32.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        words = InlineWords(
            a: bytes.bigEndianWord(at: 0), b: bytes.bigEndianWord(at: 8), c: bytes.bigEndianWord(at: 16),
            d: bytes.bigEndianWord(at: 24))
    }

    package init?(bytes: some Collection<UInt8>) { self.init(bytes: Array(bytes)) }

    package init?(hex: String) {
        guard hex.utf8.count == 64, let bytes = [UInt8](hex: hex) else { return nil }
        self.init(bytes: bytes)
    }

    package var bytes: [UInt8] {
        words.a.bigEndianBytes + words.b.bigEndianBytes + words.c.bigEndianBytes + words.d.bigEndianBytes
    }
    package var hex: String { bytes.hex }

    package static func < (x: Self, y: Self) -> Bool {
        (x.words.a, x.words.b, x.words.c, x.words.d) < (y.words.a, y.words.b, y.words.c, y.words.d)
    }
}

extension BlockID: CustomStringConvertible {
    package var description: String { hex }
}

extension BlockID: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = Self(hex: text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "a block id is 64 hexadecimal digits"))
        }
        self = id
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}
