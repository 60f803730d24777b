/// A 128-bit identifier drawn at random by whoever creates the thing it names.
///
/// The phantom `Kind` keeps a node's id from being passed where a namespace's is meant. Text form: 32 lower-case
/// hexadecimal digits. Stored form: 16 bytes, most significant first, so that byte order equals `<`.
package struct Identifier<Kind>: Hashable, Comparable, Sendable {
    package let high: UInt64
    package let low: UInt64

    @inlinable package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Draws a new identifier.
    package init(from entropy: some Entropy) {
        self.init(high: entropy.next(), low: entropy.next())
    }

    /// The stored form; nil unless it is exactly 16 bytes.
    @inlinable package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self.init(high: bytes.prefix(8).bigEndianValue, low: bytes.suffix(8).bigEndianValue)
    }

    package init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(high: bytes.bigEndianWord(at: 0), low: bytes.bigEndianWord(at: 8))
    }

    /// The text form; nil unless it is exactly 32 hexadecimal digits.
    package init?(hex: String) {
        guard hex.utf8.count == 32, let bytes = [UInt8](hex: hex) else { return nil }
        self.init(bytes: bytes)
    }

    @inlinable package var bytes: [UInt8] { high.bigEndianBytes + low.bigEndianBytes }
    package var hex: String { bytes.hex }

    package static func < (a: Self, b: Self) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension Identifier: CustomStringConvertible {
    package var description: String { hex }
}

extension Identifier: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = Self(hex: text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "an id is 32 hexadecimal digits"))
        }
        self = id
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}

package enum OrgKind {}
package enum UserKind {}
package enum DeviceKind {}
package enum NamespaceKind {}
package enum NodeIdentityKind {}
package enum CommitKind {}
package enum KeyKind {}
package enum UploadKind {}

package typealias OrgID = Identifier<OrgKind>
package typealias UserID = Identifier<UserKind>
package typealias DeviceID = Identifier<DeviceKind>
package typealias NamespaceID = Identifier<NamespaceKind>
/// Names a node for its whole life, on every device and in every namespace.
package typealias NodeID = Identifier<NodeIdentityKind>
package typealias CommitID = Identifier<CommitKind>
/// Names a key of the key hierarchy (DESIGN §4.3).
package typealias KeyID = Identifier<KeyKind>
/// Names one granted upload of one block.
package typealias UploadID = Identifier<UploadKind>
