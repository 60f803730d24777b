import DbxModel

/// The stored form of a segment row's extents: version 1, then 44 bytes for each, numbers big-endian: offset from the
/// segment's start, length, offset in the block (4 bytes each), block id (32).
enum ExtentCoding {
    private static let entryBytes = 44

    static func encode(_ extents: [Extent], segment: Int64) -> [UInt8] {
        var bytes: [UInt8] = [1]
        bytes.reserveCapacity(1 + extents.count * entryBytes)
        for extent in extents {
            bytes += UInt32(extent.offset - segment * ContentLimits.segmentBytes).bigEndianBytes
            bytes += UInt32(extent.length).bigEndianBytes
            bytes += UInt32(extent.blockOffset).bigEndianBytes
            bytes += extent.block.bytes
        }
        return bytes
    }

    static func decode(_ bytes: [UInt8], segment: Int64) throws(StoreError) -> [Extent] {
        guard bytes.first == 1, (bytes.count - 1).isMultiple(of: entryBytes) else {
            throw .badRow("extents of a segment row")
        }
        var extents: [Extent] = []
        extents.reserveCapacity(bytes.count / entryBytes)
        for start in stride(from: 1, to: bytes.count, by: entryBytes) {
            func number(_ offset: Int) -> Int64 {
                Int64(bytes[(start + offset)..<(start + offset + 4)].bigEndianValue)
            }
            guard let block = BlockID(bytes: bytes[(start + 12)..<(start + entryBytes)]) else {
                throw .badRow("block of an extent")
            }
            extents.append(
                Extent(
                    offset: segment * ContentLimits.segmentBytes + number(0), length: number(4), block: block,
                    blockOffset: number(8)))
        }
        return extents
    }
}

/// The stored form of extended attributes: nothing for none, else version 1, then for each the name's and the value's
/// length (4 bytes each, big-endian) and their bytes.
enum AttributeCoding {
    static func encode(_ attributes: [ExtendedAttribute]) -> [UInt8]? {
        guard !attributes.isEmpty else { return nil }
        return attributes.reduce(into: [1]) { bytes, attribute in
            bytes += UInt32(attribute.name.count).bigEndianBytes + UInt32(attribute.value.count).bigEndianBytes
            bytes += attribute.name + attribute.value
        }
    }

    static func decode(_ bytes: [UInt8]?) throws(StoreError) -> [ExtendedAttribute] {
        guard let bytes else { return [] }
        guard bytes.first == 1 else { throw .badRow("extended attributes of a node") }
        var attributes: [ExtendedAttribute] = []
        var rest = bytes.dropFirst()
        while !rest.isEmpty {
            let nameBytes = Int(rest.prefix(4).bigEndianValue)
            let valueBytes = Int(rest.dropFirst(4).prefix(4).bigEndianValue)
            rest = rest.dropFirst(8)
            guard rest.count >= nameBytes + valueBytes else { throw .badRow("extended attributes of a node") }
            attributes.append(
                ExtendedAttribute(
                    name: Array(rest.prefix(nameBytes)), value: Array(rest.dropFirst(nameBytes).prefix(valueBytes))))
            rest = rest.dropFirst(nameBytes + valueBytes)
        }
        return attributes
    }
}
