import DbxModel

/// Attributes as bytes of a column: fixed fields, then the extended attributes, all numbers big-endian.
enum AttributesCodec {
    static func encode(_ attributes: NodeAttributes) -> [UInt8] {
        var bytes = attributes.mode.bigEndianBytes
        for owner in [attributes.uid, attributes.gid] {
            bytes.append(owner == nil ? 0 : 1)
            bytes += (owner ?? 0).bigEndianBytes
        }
        for time in [attributes.mtime, attributes.ctime, attributes.birthTime] {
            bytes += time.nanoseconds.bigEndianBytes
        }
        bytes += attributes.rdev.bigEndianBytes
        return bytes + encode(attributes.extendedAttributes)
    }

    static func decode(_ bytes: [UInt8]) throws(StoreError) -> NodeAttributes {
        var reader = ByteReader(bytes)
        let mode = UInt16(truncatingIfNeeded: try reader.number(2))
        let uid = try owner(&reader)
        let gid = try owner(&reader)
        let mtime = Timestamp(nanoseconds: Int64(bitPattern: try reader.number(8)))
        let ctime = Timestamp(nanoseconds: Int64(bitPattern: try reader.number(8)))
        let birth = Timestamp(nanoseconds: Int64(bitPattern: try reader.number(8)))
        let rdev = try reader.number(8)
        return NodeAttributes(
            mode: mode, uid: uid, gid: gid, mtime: mtime, ctime: ctime, birthTime: birth, rdev: rdev,
            extendedAttributes: try decodeExtended(&reader))
    }

    private static func owner(_ reader: inout ByteReader) throws(StoreError) -> UInt32? {
        let isSet = try reader.number(1) == 1
        let value = UInt32(truncatingIfNeeded: try reader.number(4))
        return isSet ? value : nil
    }

    static func encode(_ extended: [ExtendedAttribute]) -> [UInt8] {
        extended.reduce(into: []) { bytes, attribute in
            for part in [attribute.name, attribute.value] {
                bytes += UInt32(part.count).bigEndianBytes
                bytes += part
            }
        }
    }

    static func decodeExtended(_ bytes: [UInt8]) throws(StoreError) -> [ExtendedAttribute] {
        var reader = ByteReader(bytes)
        return try decodeExtended(&reader)
    }

    private static func decodeExtended(_ reader: inout ByteReader) throws(StoreError) -> [ExtendedAttribute] {
        var result: [ExtendedAttribute] = []
        while !reader.isAtEnd {
            let name = try reader.bytes(Int(try reader.number(4)))
            let value = try reader.bytes(Int(try reader.number(4)))
            result.append(ExtendedAttribute(name: name, value: value))
        }
        return result
    }
}

/// Reads numbers and byte strings off a column; running out is corruption, not a trap.
struct ByteReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func bytes(_ count: Int) throws(StoreError) -> [UInt8] {
        guard count <= rest.count else { throw .corrupt("a column ends early") }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// A big-endian number of up to eight bytes.
    mutating func number(_ count: Int) throws(StoreError) -> UInt64 {
        guard count <= rest.count else { throw .corrupt("a column ends early") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count).bigEndianValue
    }
}
