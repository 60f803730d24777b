/// A position in a namespace's journal. Commits take 1, 2, 3, …; 0 stands for "before anything", so a base of 0 says
/// that the row must not exist yet.
package struct Seq: Hashable, Comparable, Sendable {
    package let value: Int64

    package init(_ value: Int64) { self.value = value }

    package static let zero = Seq(0)
    /// Before that of any row but a namespace's first.
    package static let oldest = Seq(1)
    /// Of a name: the server has nothing or something older there, and only its listing tells.
    package static let unknown = Seq(-1)
    package var next: Seq { Seq(value + 1) }
    package static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

extension Seq: CustomStringConvertible {
    package var description: String { String(value) }
}

extension Seq: Codable {
    package init(from decoder: any Decoder) throws {
        value = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}
