/// The number under which the kernel and the local store know a node: the rowid of its row, never used again for
/// another node, the same after a restart.
package struct InodeNumber: RawRepresentable, Hashable, Comparable, Sendable, Codable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The directory that is mounted.
    package static let root = InodeNumber(rawValue: 1)

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    init(_ value: Int64) { rawValue = UInt64(bitPattern: value) }
    var sqlValue: SQLValue { .integer(Int64(bitPattern: rawValue)) }
}
