import DbxModel

/// Takes the columns of a row in order, checking each one's type: what is stored never traps.
struct RowReader {
    private let values: [SQLValue]
    private var index = 0

    init(_ row: SQLRow) { values = row.values }

    private mutating func next() throws(StoreError) -> SQLValue {
        guard index < values.count else { throw .badRow("a row has too few columns") }
        defer { index += 1 }
        return values[index]
    }

    mutating func optionalInt64() throws(StoreError) -> Int64? {
        switch try next() {
        case .integer(let number): return number
        case .null: return nil
        default: throw .badRow("column \(index) is no number")
        }
    }

    mutating func int64() throws(StoreError) -> Int64 {
        guard let number = try optionalInt64() else { throw .badRow("column \(index) is null") }
        return number
    }

    mutating func optionalBytes() throws(StoreError) -> [UInt8]? {
        switch try next() {
        case .bytes(let bytes): return bytes
        case .null: return nil
        default: throw .badRow("column \(index) holds no bytes")
        }
    }

    mutating func bytes() throws(StoreError) -> [UInt8] {
        guard let bytes = try optionalBytes() else { throw .badRow("column \(index) is null") }
        return bytes
    }

    mutating func optionalText() throws(StoreError) -> String? {
        switch try next() {
        case .text(let text): return text
        case .null: return nil
        default: throw .badRow("column \(index) is no text")
        }
    }

    mutating func text() throws(StoreError) -> String {
        guard let text = try optionalText() else { throw .badRow("column \(index) is null") }
        return text
    }

    mutating func bool() throws(StoreError) -> Bool { try int64() != 0 }
    mutating func count() throws(StoreError) -> Int { Int(clamping: try int64()) }
    mutating func seq() throws(StoreError) -> Seq { Seq(try int64()) }
    mutating func timestamp() throws(StoreError) -> Timestamp { Timestamp(nanoseconds: try int64()) }

    mutating func optionalID<Kind>() throws(StoreError) -> Identifier<Kind>? {
        guard let bytes = try optionalBytes() else { return nil }
        guard let id = Identifier<Kind>(bytes: bytes) else { throw .badRow("column \(index) is no id") }
        return id
    }

    mutating func id<Kind>() throws(StoreError) -> Identifier<Kind> {
        guard let id: Identifier<Kind> = try optionalID() else { throw .badRow("column \(index) is null") }
        return id
    }

    mutating func optionalBlock() throws(StoreError) -> BlockID? {
        guard let bytes = try optionalBytes() else { return nil }
        guard let id = BlockID(bytes: bytes) else { throw .badRow("column \(index) is no block id") }
        return id
    }

    mutating func block() throws(StoreError) -> BlockID {
        guard let id = BlockID(bytes: try bytes()) else { throw .badRow("column \(index) is no block id") }
        return id
    }

    mutating func choice<Choice: RawRepresentable<String>>() throws(StoreError) -> Choice {
        let text = try text()
        guard let choice = Choice(rawValue: text) else { throw .badRow("\(text) is no \(Choice.self)") }
        return choice
    }
}

extension SQLValue {
    init<Kind>(_ id: Identifier<Kind>) { self = .bytes(id.bytes) }
    init<Kind>(_ id: Identifier<Kind>?) { self = id.map { .bytes($0.bytes) } ?? .null }
    init(_ block: BlockID) { self = .bytes(block.bytes) }
    init(_ block: BlockID?) { self = block.map { .bytes($0.bytes) } ?? .null }
    init(_ seq: Seq) { self = .integer(seq.value) }
    init(_ time: Timestamp) { self = .integer(time.nanoseconds) }
    init(_ flag: Bool) { self = .integer(flag ? 1 : 0) }
    init(_ count: Int) { self = .integer(Int64(count)) }
}
