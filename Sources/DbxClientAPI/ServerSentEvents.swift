/// Splits a stream of server-sent events (WHATWG HTML §9.2) as it arrives, in pieces of any size. A value without I/O.
package struct ServerSentEvents: Sendable {
    package enum Item: Hashable, Sendable {
        case event(type: String, data: String)
        /// A line that begins with a colon: what servers send to show that they are alive.
        case comment
    }

    package enum Failure: Error {
        /// A line or an event is longer than `maximumBytes`.
        case tooLong
    }

    private var line: [UInt8] = []
    private var type = "message"
    private var data: [String] = []
    private var dataBytes = 0
    private var endsWithReturn = false

    private static let maximumBytes = 256 << 10

    package init() {}

    /// The items that are complete with `bytes`.
    package mutating func receive(_ bytes: some Sequence<UInt8>) throws(Failure) -> [Item] {
        var items: [Item] = []
        for byte in bytes {
            defer { endsWithReturn = byte == 0x0D }
            if byte == 0x0A, endsWithReturn { continue }
            if byte == 0x0A || byte == 0x0D {
                if let item = endLine() { items.append(item) }
            } else {
                line.append(byte)
            }
            guard line.count + dataBytes <= Self.maximumBytes else { throw .tooLong }
        }
        return items
    }

    private mutating func endLine() -> Item? {
        defer { line.removeAll(keepingCapacity: true) }
        if line.isEmpty { return endEvent() }
        if line[0] == 0x3A { return .comment }
        let parts = line.split(separator: 0x3A, maxSplits: 1, omittingEmptySubsequences: false)
        var value = parts.count > 1 ? parts[1] : []
        if value.first == 0x20 { value = value.dropFirst() }
        switch String(decoding: parts[0], as: UTF8.self) {
        case "event": type = String(decoding: value, as: UTF8.self)
        case "data":
            data.append(String(decoding: value, as: UTF8.self))
            dataBytes += value.count + 1
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> Item? {
        defer {
            type = "message"
            data = []
            dataBytes = 0
        }
        return data.isEmpty ? nil : .event(type: type, data: data.joined(separator: "\n"))
    }
}
