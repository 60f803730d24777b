/// The name of an entry: 1 to 255 bytes without `/` and NUL, neither `.` nor `..` (POSIX.1-2017 §3.170).
///
/// Bytes, never text: two Unicode forms of one name are two names. Order is that of memcmp.
package struct Name: Hashable, Comparable, Sendable {
    package let bytes: [UInt8]

    package static let maximumBytes = 255

    /// Nil when `bytes` is no valid name.
    package init?(_ bytes: [UInt8]) {
        guard (1...Self.maximumBytes).contains(bytes.count), bytes != [0x2E], bytes != [0x2E, 0x2E],
            !bytes.contains(where: { $0 == 0x2F || $0 == 0 })
        else { return nil }
        self.bytes = bytes
    }

    package init?(_ text: String) { self.init(Array(text.utf8)) }

    /// For display only: bytes that are no UTF-8 become U+FFFD.
    package var display: String { String(decoding: bytes, as: UTF8.self) }

    package static func < (a: Self, b: Self) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

extension Name: CustomStringConvertible {
    package var description: String { display }
}
