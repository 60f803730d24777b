package import DbxModel

/// Bytes that are not what `PackedWriter` writes.
package struct MalformedPacking: Error {
    package init() {}
}

/// Takes apart what `PackedWriter` wrote, believing nothing.
package struct PackedReader {
    private let all: [UInt8]
    private var place = 0
    private var thingsLeft: UInt64

    /// - Parameter things: how many may be counted. A few bytes may stand for something a hundred times as large.
    package init(_ bytes: [UInt8], things: UInt64 = .max) {
        all = bytes
        thingsLeft = things
    }

    package var isAtEnd: Bool { place == all.count }

    package mutating func number() throws(MalformedPacking) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while place < all.count, shift < 64 {
            let byte = all[place]
            place += 1
            guard shift < 63 || byte <= 1 else { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw MalformedPacking()
    }

    package mutating func signed() throws(MalformedPacking) -> Int64 {
        let value = try number()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    package mutating func flag() throws(MalformedPacking) -> Bool {
        switch try number() {
        case 0: false
        case 1: true
        default: throw MalformedPacking()
        }
    }

    /// How many of something follow, each of which has at least `bytes`; no more than `most`.
    package mutating func count(ofAtLeast bytes: Int, most: Int = .max) throws(MalformedPacking) -> Int {
        let count = try number()
        guard count <= UInt64(min((all.count - place) / bytes, most)), count <= thingsLeft else {
            throw MalformedPacking()
        }
        thingsLeft -= count
        return Int(count)
    }

    /// One of `values`.
    mutating func one<Value>(of values: [Value]) throws(MalformedPacking) -> Value {
        let index = try number()
        guard index < UInt64(values.count) else { throw MalformedPacking() }
        return values[Int(index)]
    }

    /// One of `values`, or none.
    mutating func oneOrNone<Value>(of values: [Value]) throws(MalformedPacking) -> Value? {
        let number = try number()
        if number == 0 { return nil }
        guard number <= UInt64(values.count) else { throw MalformedPacking() }
        return values[Int(number) - 1]
    }

    mutating func narrow<Number: FixedWidthInteger>() throws(MalformedPacking) -> Number {
        guard let value = Number(exactly: try number()) else { throw MalformedPacking() }
        return value
    }

    package mutating func fixed() throws(MalformedPacking) -> UInt64 {
        guard all.count - place >= 8 else { throw MalformedPacking() }
        var value: UInt64 = 0
        for index in place..<place + 8 { value = value << 8 | UInt64(all[index]) }
        place += 8
        return value
    }

    package mutating func id<Kind>() throws(MalformedPacking) -> Identifier<Kind> {
        Identifier(high: try fixed(), low: try fixed())
    }

    package mutating func raw(_ count: Int) throws(MalformedPacking) -> ArraySlice<UInt8> {
        guard count <= all.count - place else { throw MalformedPacking() }
        defer { place += count }
        return all[place..<place + count]
    }

    package mutating func bytes() throws(MalformedPacking) -> ArraySlice<UInt8> {
        let count = try number()
        guard count <= UInt64(all.count - place) else { throw MalformedPacking() }
        return try raw(Int(count))
    }

    package mutating func text() throws(MalformedPacking) -> String {
        guard let text = String(validating: try bytes(), as: UTF8.self) else { throw MalformedPacking() }
        return text
    }
}

extension PackedReader {
    mutating func ids() throws(MalformedPacking) -> [PackedID] {
        var ids: [PackedID] = []
        for _ in 0..<(try count(ofAtLeast: 16)) { ids.append(PackedID(high: try fixed(), low: try fixed())) }
        return ids
    }

    mutating func blockIDs() throws(MalformedPacking) -> [BlockID] {
        var blocks: [BlockID] = []
        for _ in 0..<(try count(ofAtLeast: 32)) {
            guard let id = BlockID(bytes: try raw(32)) else { throw MalformedPacking() }
            blocks.append(id)
        }
        return blocks
    }

    /// A name that may begin as `last` does.
    mutating func name(after last: Name?) throws(MalformedPacking) -> Name {
        let shared = try number()
        let before = last?.bytes ?? []
        guard shared <= UInt64(before.count) else { throw MalformedPacking() }
        guard let name = Name(try Array(before[..<Int(shared)] + bytes())) else { throw MalformedPacking() }
        return name
    }
}

/// An id whose kind its place says.
struct PackedID {
    var high: UInt64
    var low: UInt64

    func id<Kind>() -> Identifier<Kind> { Identifier(high: high, low: low) }
}
