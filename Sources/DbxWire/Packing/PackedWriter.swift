package import DbxModel

/// Numbers and bytes, one behind the other.
package struct PackedWriter {
    package private(set) var all: [UInt8] = []

    package init() {}

    package mutating func reserve(_ count: Int) { all.reserveCapacity(count) }

    /// LEB128: seven bits a byte, the lowest first, the top bit set on all but the last byte.
    package mutating func number(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            all.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        all.append(UInt8(truncatingIfNeeded: value))
    }

    package mutating func flag(_ value: Bool) { number(value ? 1 : 0) }

    /// Small whether it is above zero or below.
    package mutating func signed(_ value: Int64) { number(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    /// Eight bytes, the highest first.
    package mutating func fixed(_ value: UInt64) {
        for shift in stride(from: 56, through: 0, by: -8) { all.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    package mutating func id<Kind>(_ id: Identifier<Kind>) {
        fixed(id.high)
        fixed(id.low)
    }

    package mutating func raw(_ bytes: [UInt8]) { all += bytes }

    /// With their count before them.
    package mutating func bytes(_ bytes: ArraySlice<UInt8>) {
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

/// Ids of any kind, with their numbers.
struct NumberedIDs {
    private var pairs = Numbered<Pair>()

    private struct Pair: Hashable {
        var high: UInt64
        var low: UInt64
    }

    mutating func number<Kind>(of id: Identifier<Kind>) -> UInt64 {
        pairs.number(of: Pair(high: id.high, low: id.low))
    }

    func write(to out: inout PackedWriter) {
        out.number(UInt64(pairs.all.count))
        for pair in pairs.all {
            out.fixed(pair.high)
            out.fixed(pair.low)
        }
    }
}

extension Numbered<BlockID> {
    func write(to out: inout PackedWriter) {
        out.number(UInt64(all.count))
        for block in all { out.raw(block.bytes) }
    }
}
