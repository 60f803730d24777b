import DbxModel

/// Numbers and bytes, one behind the other.
struct PackedWriter {
    private(set) var all: [UInt8] = []

    mutating func reserve(_ count: Int) { all.reserveCapacity(count) }

    /// LEB128: seven bits a byte, the lowest first, the top bit set on all but the last byte.
    mutating func number(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            all.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        all.append(UInt8(truncatingIfNeeded: value))
    }

    /// Small whether it is above zero or below.
    mutating func signed(_ value: Int64) { number(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    /// Eight bytes, the highest first.
    mutating func fixed(_ value: UInt64) {
        for shift in stride(from: 56, through: 0, by: -8) { all.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func id<Kind>(_ id: Identifier<Kind>) {
        fixed(id.high)
        fixed(id.low)
    }

    mutating func raw(_ bytes: [UInt8]) { all += bytes }

    /// With their count before them.
    mutating func bytes(_ bytes: ArraySlice<UInt8>) {
        number(UInt64(bytes.count))
        all += bytes
    }
}

/// Gives each of some values a number, from 0 on, in the order in which they are first seen.
struct Numbered<Value: Hashable> {
    private(set) var all: [Value] = []
    private var numbers: [Value: UInt64] = [:]

    mutating func number(of value: Value) -> UInt64 {
        if let number = numbers[value] { return number }
        let number = UInt64(all.count)
        numbers[value] = number
        all.append(value)
        return number
    }
}

/// Takes apart what `PackedWriter` wrote, believing nothing.
struct PackedReader {
    private let all: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { all = bytes }

    var isAtEnd: Bool { place == all.count }

    mutating func number() throws(PackedListing.Malformed) -> UInt64 {
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
        throw PackedListing.Malformed()
    }

    mutating func signed() throws(PackedListing.Malformed) -> Int64 {
        let value = try number()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// How many of something follow, each of which has at least `bytes`.
    mutating func count(ofAtLeast bytes: Int) throws(PackedListing.Malformed) -> Int {
        let count = try number()
        guard count <= UInt64((all.count - place) / bytes) else { throw PackedListing.Malformed() }
        return Int(count)
    }

    /// One of `values`.
    mutating func one<Value>(of values: [Value]) throws(PackedListing.Malformed) -> Value {
        let index = try number()
        guard index < UInt64(values.count) else { throw PackedListing.Malformed() }
        return values[Int(index)]
    }

    /// One of `values`, or none.
    mutating func oneOrNone<Value>(of values: [Value]) throws(PackedListing.Malformed) -> Value? {
        let number = try number()
        if number == 0 { return nil }
        guard number <= UInt64(values.count) else { throw PackedListing.Malformed() }
        return values[Int(number) - 1]
    }

    mutating func narrow<Number: FixedWidthInteger>() throws(PackedListing.Malformed) -> Number {
        guard let value = Number(exactly: try number()) else { throw PackedListing.Malformed() }
        return value
    }

    mutating func fixed() throws(PackedListing.Malformed) -> UInt64 {
        guard all.count - place >= 8 else { throw PackedListing.Malformed() }
        var value: UInt64 = 0
        for index in place..<place + 8 { value = value << 8 | UInt64(all[index]) }
        place += 8
        return value
    }

    mutating func id<Kind>() throws(PackedListing.Malformed) -> Identifier<Kind> {
        Identifier(high: try fixed(), low: try fixed())
    }

    mutating func raw(_ count: Int) throws(PackedListing.Malformed) -> ArraySlice<UInt8> {
        guard count <= all.count - place else { throw PackedListing.Malformed() }
        defer { place += count }
        return all[place..<place + count]
    }

    mutating func bytes() throws(PackedListing.Malformed) -> ArraySlice<UInt8> { try raw(try count(ofAtLeast: 1)) }

    mutating func text() throws(PackedListing.Malformed) -> String {
        guard let text = String(validating: try bytes(), as: UTF8.self) else { throw PackedListing.Malformed() }
        return text
    }
}
