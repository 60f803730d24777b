/// The name of a block: the SHA-256 of its stored (compressed, encrypted) form.
package struct BlockID: Hashable, Comparable, Sendable {
    private let words: InlineWords

    private struct InlineWords: Hashable, Sendable {
        var a, b, c, d: UInt64
    }

    /// Nil unless `bytes` are exactly 32.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        let all = Array(bytes)
        words = InlineWords(
            a: all[0..<8].bigEndianValue, b: all[8..<16].bigEndianValue, c: all[16..<24].bigEndianValue,
            d: all[24..<32].bigEndianValue)
    }

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
