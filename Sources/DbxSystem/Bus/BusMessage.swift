/// One message of D-Bus (https://dbus.freedesktop.org/doc/dbus-specification.html, "Message Protocol"), as far as asking
/// logind for a delay, hearing of a suspend and reading a number of NetworkManager need it: bodies hold strings, booleans,
/// numbers and descriptors, and variants of them, only.
struct BusMessage: Hashable {
    enum Kind: UInt8 {
        case call = 1, answer, error, signal
    }

    enum Value: Hashable {
        case string(String)
        case bool(Bool)
        case number(UInt32)
        /// An index into the descriptors that came with the message.
        case descriptor(UInt32)
    }

    private enum Field: UInt8 {
        case path = 1, interface, member, errorName, replySerial, destination, sender, signature
    }

    var kind: Kind
    var serial: UInt32 = 0
    var replySerial: UInt32 = 0
    var destination = ""
    var path = ""
    var interface = ""
    var member = ""
    var body: [Value] = []

    static let fixedHeaderBytes = 16
    /// No message that we ask for is longer.
    static let maximumBytes = 1 << 16

    static func call(_ destination: String, _ path: String, _ interface: String, _ member: String, _ body: [Value] = [])
        -> BusMessage
    {
        BusMessage(
            kind: .call, destination: destination, path: path, interface: interface, member: member, body: body)
    }

    // MARK: Writing

    func encoded() -> [UInt8] {
        var content = BusWriter()
        for value in body { content.append(value) }
        var message = BusWriter()
        // Little-endian; nobody is started to answer; version 1.
        message.bytes = [UInt8(ascii: "l"), kind.rawValue, 0x02, 1]
        message.append(UInt32(content.bytes.count))
        message.append(serial)
        var fields = BusWriter()
        for (field, type, text) in [
            (Field.path, "o", path), (.interface, "s", interface), (.member, "s", member),
            (.destination, "s", destination),
        ] where !text.isEmpty {
            fields.pad(8)
            fields.bytes.append(field.rawValue)
            fields.append(signature: type)
            fields.append(text)
        }
        if !body.isEmpty {
            fields.pad(8)
            fields.bytes.append(Field.signature.rawValue)
            fields.append(signature: "g")
            fields.append(signature: body.map(\.signature).joined())
        }
        message.append(UInt32(fields.bytes.count))
        message.bytes += fields.bytes
        message.pad(8)
        return message.bytes + content.bytes
    }
}

// MARK: Reading

extension BusMessage {
    /// The length of the whole message that begins so; nil for bytes that are no message of ours.
    static func length(of header: ArraySlice<UInt8>) -> Int? {
        var reader = BusReader(Array(header))
        guard header.first == UInt8(ascii: "l"), let _ = try? reader.skip(4), let body = try? reader.number(),
            let _ = try? reader.number(), let fields = try? reader.number()
        else { return nil }
        let length = fixedHeaderBytes + (Int(fields) + 7) / 8 * 8 + Int(body)
        return length <= maximumBytes ? length : nil
    }

    /// Throws EBADMSG for what is no message. A body of other types than ours reads as an empty one.
    init(decoding bytes: [UInt8]) throws(Errno) {
        var reader = BusReader(bytes)
        guard bytes.count >= Self.fixedHeaderBytes, let kind = Kind(rawValue: bytes[1]) else { throw .badMessage }
        self.kind = kind
        try reader.skip(4)
        _ = try reader.number()
        serial = try reader.number()
        let end = Self.fixedHeaderBytes + Int(try reader.number())
        var signature = ""
        while reader.position < end {
            try reader.align(8)
            let field = Field(rawValue: try reader.byte())
            switch (try reader.signature(), field) {
            case ("u", .replySerial): replySerial = try reader.number()
            case ("u", _): _ = try reader.number()
            case ("g", _): signature = try reader.signature()
            case ("s", .interface): interface = try reader.string()
            case ("s", .member): member = try reader.string()
            case ("o", .path): path = try reader.string()
            case ("s", _), ("o", _): _ = try reader.string()
            default: throw .badMessage
            }
        }
        try reader.align(8)
        guard signature.allSatisfy({ "sbuhv".contains($0) }) else { return }
        for type in signature { body.append(try reader.value(type)) }
    }
}

extension BusMessage.Value {
    fileprivate var signature: String {
        switch self {
        case .string: "s"
        case .bool: "b"
        case .number: "u"
        case .descriptor: "h"
        }
    }
}

/// Numbers are little-endian and aligned to their size.
private struct BusWriter {
    var bytes: [UInt8] = []

    mutating func pad(_ alignment: Int) {
        while bytes.count % alignment != 0 { bytes.append(0) }
    }

    mutating func append(_ number: UInt32) {
        pad(4)
        for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> UInt32(shift))) }
    }

    mutating func append(_ text: String) {
        append(UInt32(text.utf8.count))
        bytes += Array(text.utf8) + [0]
    }

    mutating func append(signature: String) {
        bytes += [UInt8(signature.utf8.count)] + Array(signature.utf8) + [0]
    }

    mutating func append(_ value: BusMessage.Value) {
        switch value {
        case .string(let text): append(text)
        case .bool(let value): append(value ? 1 : 0)
        case .number(let number), .descriptor(let number): append(number)
        }
    }
}

private struct BusReader {
    let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func skip(_ count: Int) throws(Errno) {
        guard count <= bytes.count - position else { throw .badMessage }
        position += count
    }

    mutating func align(_ alignment: Int) throws(Errno) { try skip((alignment - position % alignment) % alignment) }

    mutating func byte() throws(Errno) -> UInt8 {
        try skip(1)
        return bytes[position - 1]
    }

    mutating func number() throws(Errno) -> UInt32 {
        try align(4)
        try skip(4)
        return bytes[position - 4..<position].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func string() throws(Errno) -> String {
        let count = Int(try number())
        try skip(count)
        try skip(1)
        return String(decoding: bytes[position - 1 - count..<position - 1], as: UTF8.self)
    }

    mutating func signature() throws(Errno) -> String {
        let count = Int(try byte())
        try skip(count)
        try skip(1)
        return String(decoding: bytes[position - 1 - count..<position - 1], as: UTF8.self)
    }

    private mutating func variant() throws(Errno) -> BusMessage.Value {
        let type = try signature()
        guard type.count == 1, let first = type.first, "sbuh".contains(first) else { throw .badMessage }
        return try value(first)
    }

    mutating func value(_ type: Character) throws(Errno) -> BusMessage.Value {
        switch type {
        case "s": .string(try string())
        case "b": .bool(try number() != 0)
        case "h": .descriptor(try number())
        case "v": try variant()
        default: .number(try number())
        }
    }
}
