package import DbxModel

/// A block that is, or may become, an object of the store. From `live` leads only a repair, to `lost`, and
/// from there an upload back.
package struct BlockRecord: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        /// Somebody may upload it; there may be no object.
        case granted
        /// The object is there; a receipt or an earlier commit names it.
        case stored
        /// A namespace has it.
        case live
        /// A namespace has it, and its bytes were found damaged or missing: who has them may upload them again.
        case lost
    }

    package var id: BlockID
    /// Part of the object's key: a block that was freed comes back under the next one.
    package var generation: Int64
    package var storedBytes: Int64
    package var state: State
    package var createdAt: Timestamp

    package init(id: BlockID, generation: Int64, storedBytes: Int64, state: State, createdAt: Timestamp) {
        self.id = id
        self.generation = generation
        self.storedBytes = storedBytes
        self.state = state
        self.createdAt = createdAt
    }

    /// Whether the block can be a body in the database instead of an object.
    package var mayBeInline: Bool { storedBytes <= Int64(ContentLimits.maximumInlineBytes) }
    /// Whether it can lie in an object together with others.
    package var mayBePacked: Bool { storedBytes <= Int64(ContentLimits.maximumPackedBytes) }
    package var key: ObjectKey { ObjectKey(block: id, generation: generation) }
}

/// Where a small block lies in an object that holds many. A pack's id is the SHA-256 of all of it, as a block's is.
package struct PackPlace: Hashable, Sendable {
    package var pack: BlockID
    /// Of the block's first byte.
    package var position: Int64

    package init(pack: BlockID, position: Int64) {
        self.pack = pack
        self.position = position
    }

    package var key: ObjectKey { Self.key(ofPack: pack) }
    package static func key(ofPack pack: BlockID) -> ObjectKey { ObjectKey(block: pack, generation: 1) }
}

/// A block in a namespace: what its readers need to open it. Never changes.
package struct NamespaceBlockRecord: Hashable, Sendable {
    package var block: BlockID
    package var seq: Seq
    package var sealed: [UInt8]
    package var key: KeyID
    package var plainBytes: Int64
    package var storedBytes: Int64
    /// The block that it is encoded against.
    package var base: BlockID?

    package init(
        block: BlockID, seq: Seq, sealed: [UInt8], key: KeyID, plainBytes: Int64, storedBytes: Int64,
        base: BlockID? = nil
    ) {
        self.base = base
        self.block = block
        self.seq = seq
        self.sealed = sealed
        self.key = key
        self.plainBytes = plainBytes
        self.storedBytes = storedBytes
    }
}

/// A device's leave to upload a block for a namespace, and, once `stored`, its receipt.
package struct UploadRecord: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        case granted, stored
    }

    package var namespace: NamespaceID
    package var block: BlockID
    package var device: DeviceID
    package var id: UploadID
    package var storedBytes: Int64
    package var state: State
    package var touchedAt: Timestamp

    package init(
        namespace: NamespaceID, block: BlockID, device: DeviceID, id: UploadID, storedBytes: Int64, state: State,
        touchedAt: Timestamp
    ) {
        self.namespace = namespace
        self.block = block
        self.device = device
        self.id = id
        self.storedBytes = storedBytes
        self.state = state
        self.touchedAt = touchedAt
    }
}

/// How many blocks, and their stored bytes.
package struct BlockTotals: Hashable, Sendable {
    package var blocks: Int
    package var bytes: Int64
}
