/// What is bound to a parameter of a statement.
enum SQLValue: Hashable {
    case null
    case integer(Int64)
    case bytes([UInt8])
    case text(String)
}

extension FixedWidthInteger {
    var sqlValue: SQLValue { .integer(Int64(truncatingIfNeeded: self)) }
}

extension String {
    var sqlValue: SQLValue { .text(self) }
}

extension [UInt8] {
    var sqlValue: SQLValue { .bytes(self) }
}
