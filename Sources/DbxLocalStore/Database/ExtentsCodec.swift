import DbxModel

/// Extents of blocks as bytes of a column: offset, length, block number and offset in the block, each 8 bytes big-endian.
enum ExtentsCodec {
    static func encode(_ extents: [LocalExtent]) -> [UInt8] {
        extents.reduce(into: []) { bytes, extent in
            guard case .block(let block, let offset) = extent.source else { return }
            for number in [extent.offset, extent.length, block.rawValue, offset] { bytes += number.bigEndianBytes }
        }
    }

    static func decode(_ bytes: [UInt8]) throws(StoreError) -> [LocalExtent] {
        var reader = ByteReader(bytes)
        var extents: [LocalExtent] = []
        while !reader.isAtEnd {
            let fields = try [reader.number(8), reader.number(8), reader.number(8), reader.number(8)]
                .map(Int64.init(bitPattern:))
            extents.append(
                LocalExtent(
                    offset: fields[0], length: fields[1],
                    source: .block(BlockNumber(rawValue: fields[2]), offset: fields[3])))
        }
        return extents
    }
}
