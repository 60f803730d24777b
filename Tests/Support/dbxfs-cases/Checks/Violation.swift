/// What must not be. `kind` stays the same while a case shrinks.
struct Violation: Error, CustomStringConvertible {
    let kind: String
    let text: String
    /// The case, where it is one's.
    let number: UInt64?

    init(_ kind: String, _ text: String, of number: UInt64? = nil) {
        self.kind = kind
        self.text = text
        self.number = number
    }

    var description: String { "\(number.map { "case \($0): " } ?? "")\(kind): \(text)" }
}
