import DbxSystem

/// Reading the log back.
extension RedoLog {
    /// The whole records from the beginning of the file on, in order: of one generation, with consecutive numbers. What
    /// follows the last of them is of an older generation, or was being written when the process was killed.
    func records() throws(Errno) -> [Record] {
        let size = try file.size()
        let bytes = try file.read(count: Int(clamping: size), at: 0)
        var reader = LogReader(bytes)
        var texts: [UInt16: String] = [:]
        var records: [Record] = []
        var first: UInt64?
        while let payload = reader.payload() {
            var payload = LogReader(payload)
            guard let generation: UInt64 = payload.number(), let operation: UInt64 = payload.number(),
                generation == first ?? generation,
                records.last.map({ $0.operation &+ 1 == operation }) ?? true,
                let statements = payload.statements(naming: &texts)
            else { break }
            first = generation
            records.append(Record(operation: operation, statements: statements))
        }
        return records
    }

    /// The records of this generation, which are those of this process.
    func ownRecords() throws(Errno) -> [Record] {
        guard position > 0 else { return [] }
        return try records()
    }
}

/// Takes numbers and byte strings off the log; nil where it ends early.
private struct LogReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }
    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>() -> Number? {
        let count = MemoryLayout<Number>.size
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count).reversed().reduce(0) { ($0 << 8) | Number($1) }
    }

    mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func string() -> ArraySlice<UInt8>? {
        guard let count: UInt32 = number() else { return nil }
        return bytes(Int(count))
    }

    /// The next record behind its length and checksum, if it is whole.
    mutating func payload() -> ArraySlice<UInt8>? {
        guard let length: UInt32 = number(), let checksum: UInt32 = number(), let payload = bytes(Int(length)),
            CRC32C.checksum(Array(payload)) == checksum
        else { return nil }
        return payload
    }

    mutating func statements(naming texts: inout [UInt16: String]) -> [(text: String, values: [SQLValue])]? {
        var statements: [(String, [SQLValue])] = []
        while !rest.isEmpty {
            guard let index: UInt16 = number(), let name = string() else { return nil }
            if !name.isEmpty { texts[index] = String(decoding: name, as: UTF8.self) }
            guard let text = texts[index], let count: UInt8 = number() else { return nil }
            var values: [SQLValue] = []
            for _ in 0..<count {
                guard let value = value() else { return nil }
                values.append(value)
            }
            statements.append((text, values))
        }
        return statements
    }

    private mutating func value() -> SQLValue? {
        guard let tag: UInt8 = number() else { return nil }
        switch tag {
        case 0: return .null
        case 1:
            guard let number: UInt64 = number() else { return nil }
            return .integer(Int64(bitPattern: number))
        case 2: return string().map { .bytes(Array($0)) }
        case 3: return string().map { .text(String(decoding: $0, as: UTF8.self)) }
        default: return nil
        }
    }
}
