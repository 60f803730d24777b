package import DbxModel

/// The rows of a namespace's tree as the server states them. Every row carries the `seq` of the commit that last
/// changed it and the id of that commit, so that a pull showing our own commit counts as its answer (DESIGN §3).

/// A node. `deleted` rows are tombstones: only `id`, `seq` and `commit` mean anything then.
package struct NodeRow: Hashable, Sendable {
    package var id: NodeID
    package var seq: Seq
    package var commit: CommitID?
    package var deleted: Bool
    package var kind: NodeKind
    package var attributes: NodeAttributes
    /// The base that an attributes change must name.
    package var attributesSeq: Seq
    /// The base that a content change must name; also the current revision.
    package var contentSeq: Seq
    /// Counts changes of how the content is stored (compaction); no base.
    package var encoding: Int64
    package var size: Int64
    /// SHA-256 over the SHA-256 of each 4 MiB of content, where known.
    package var contentHash: [UInt8]?
    /// Target of a symlink, else nil.
    package var target: [UInt8]?

    package init(
        id: NodeID, seq: Seq, commit: CommitID?, deleted: Bool = false, kind: NodeKind, attributes: NodeAttributes,
        attributesSeq: Seq, contentSeq: Seq, encoding: Int64 = 0, size: Int64 = 0, contentHash: [UInt8]? = nil,
        target: [UInt8]? = nil
    ) {
        self.id = id
        self.seq = seq
        self.commit = commit
        self.deleted = deleted
        self.kind = kind
        self.attributes = attributes
        self.attributesSeq = attributesSeq
        self.contentSeq = contentSeq
        self.encoding = encoding
        self.size = size
        self.contentHash = contentHash
        self.target = target
    }
}

/// An entry; `node` is nil on a tombstone.
package struct EntryRow: Hashable, Sendable {
    package var parent: NodeID
    package var name: Name
    package var node: NodeID?
    package var seq: Seq
    package var commit: CommitID?
    /// The name was taken from a file, which lived on under others, by somebody who had not seen what was in it.
    package var leftUnseen: Bool

    package init(
        parent: NodeID, name: Name, node: NodeID?, seq: Seq, commit: CommitID?, leftUnseen: Bool = false
    ) {
        self.parent = parent
        self.name = name
        self.node = node
        self.seq = seq
        self.commit = commit
        self.leftUnseen = leftUnseen
    }
}

/// The extents of one 64 MiB stretch of one file, ordered by offset, without overlap, none across the stretch's
/// border. No extents: the stretch is a hole (or past the end), and the row a tombstone.
package struct SegmentRow: Hashable, Sendable, Codable {
    package var node: NodeID
    package var index: Int64
    package var seq: Seq
    package var extents: [Extent]

    package init(node: NodeID, index: Int64, seq: Seq, extents: [Extent]) {
        self.node = node
        self.index = index
        self.seq = seq
        self.extents = extents
    }
}

/// What a reader needs to open a block in one namespace. Never changes once there.
package struct BlockRow: Hashable, Sendable, Codable {
    package var id: BlockID
    /// The commit that brought the block into the namespace.
    package var seq: Seq
    package var wrap: BlockWrap

    package init(id: BlockID, seq: Seq, wrap: BlockWrap) {
        self.id = id
        self.seq = seq
        self.wrap = wrap
    }
}

/// The sealed (K_b ‖ h) of a block under a namespace's wrap key, with the lengths and the block that it is encoded
/// against, if any: that has no base itself (docs/FORMAT.md).
package struct BlockWrap: Hashable, Sendable, Codable {
    package var sealed: Base64
    package var key: KeyID
    package var plainBytes: Int64
    package var storedBytes: Int64
    package var base: BlockID?

    package init(sealed: Base64, key: KeyID, plainBytes: Int64, storedBytes: Int64, base: BlockID? = nil) {
        self.sealed = sealed
        self.key = key
        self.plainBytes = plainBytes
        self.storedBytes = storedBytes
        self.base = base
    }
}
