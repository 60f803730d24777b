import DbxModel

/// The first 8 bytes of a payload: version, codec, flags, 0, and the content's length as 4 bytes, most significant
/// first (docs/FORMAT.md, Payload).
struct BlockHeader: Hashable {
    enum Codec: UInt8 {
        case raw = 0
        case zstd = 1
    }

    /// The version of the whole stored form; also part of every frame's authenticated data.
    static let version: UInt8 = 1
    /// The body begins with the 32-byte id of the block that the rest is encoded against.
    static let baseFlag: UInt8 = 1

    var codec: Codec
    var hasBase: Bool
    var plainBytes: Int

    var bytes: [UInt8] {
        [Self.version, codec.rawValue, hasBase ? Self.baseFlag : 0, 0] + UInt32(plainBytes).bigEndianBytes
    }

    init(codec: Codec, hasBase: Bool = false, plainBytes: Int) {
        self.codec = codec
        self.hasBase = hasBase
        self.plainBytes = plainBytes
    }

    /// `bytes` are at least 8.
    init(parsing bytes: some Collection<UInt8>) throws(BlockError) {
        let bytes = Array(bytes.prefix(BlockLayout.headerBytes))
        guard bytes.count == BlockLayout.headerBytes else { throw .malformed }
        guard bytes[0] == Self.version, bytes[2] & ~Self.baseFlag == 0, bytes[3] == 0,
            let codec = Codec(rawValue: bytes[1])
        else { throw .unsupported }
        self.init(codec: codec, hasBase: bytes[2] == Self.baseFlag, plainBytes: Int(bytes[4...].bigEndianValue))
    }
}
