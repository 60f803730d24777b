import DbxModel
import DbxServerStores

/// Where the bytes of a block lie, as one look at the database found it: with its row, in a pack, or in an object of its
/// own.
enum BlockLocation: Sendable {
    case row([UInt8])
    case pack(PackPlace)
    case object(ObjectKey)

    init(of block: BlockRecord, _ rows: any MetadataTransaction) throws(StoreError) {
        if block.mayBeInline, let body = try rows.body(of: block.id) {
            self = .row(body)
        } else if block.mayBePacked, let place = try rows.place(of: block.id) {
            self = .pack(place)
        } else {
            self = .object(block.key)
        }
    }

    /// Whether other blocks lie in the same object.
    var isShared: Bool { if case .pack = self { true } else { false } }

    /// For people, behind the block's name.
    var words: String { if case .pack(let place) = self { " in pack \(place.key)" } else { "" } }

    /// Nil where there is no such object. The length is the block's where all of it is there.
    func open(_ block: BlockRecord, in objects: any ObjectStore) throws(StoreError) -> (any OpenObject)? {
        switch self {
        case .row(let body): InlineObject(body)
        case .pack(let place): try objects.open(place.key).map { PackedObject($0, place.position, block.storedBytes) }
        case .object(let key): try objects.open(key)
        }
    }
}

/// A block whose bytes came with its row.
private struct InlineObject: OpenObject {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var length: Int64 { Int64(bytes.count) }

    func read(into buffer: UnsafeMutableRawBufferPointer, offset: Int64) throws(StoreError) {
        // Safe: exactly as many bytes as the buffer has.
        unsafe buffer.copyBytes(from: bytes[Int(offset)..<Int(offset) + buffer.count])
    }
}

/// A part of an object, as long as that has bytes for it.
private struct PackedObject: OpenObject {
    private let pack: any OpenObject
    private let position: Int64
    let length: Int64

    init(_ pack: any OpenObject, _ position: Int64, _ wanted: Int64) {
        self.pack = pack
        self.position = position
        length = max(0, min(wanted, pack.length - position))
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, offset: Int64) throws(StoreError) {
        unsafe try pack.read(into: buffer, offset: position + offset)
    }
}
