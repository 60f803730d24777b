package import DbxModel

/// A node's row: what the protocol shows, and what the server derives.
package struct NodeRecord: Hashable, Sendable {
    package var id: NodeID
    package var seq: Seq
    package var commit: CommitID?
    package var deleted: Bool
    package var kind: NodeKind
    package var attributes: NodeAttributes
    package var attributesSeq: Seq
    package var contentSeq: Seq
    package var encoding: Int64
    package var size: Int64
    /// Bytes of the current extents; holes do not count.
    package var allocatedBytes: Int64
    package var contentHash: [UInt8]?
    package var target: [UInt8]?
    /// How many live entries name it.
    package var links: Int64

    package init(
        id: NodeID, seq: Seq, commit: CommitID?, deleted: Bool = false, kind: NodeKind, attributes: NodeAttributes,
        attributesSeq: Seq, contentSeq: Seq, encoding: Int64 = 0, size: Int64 = 0, allocatedBytes: Int64 = 0,
        contentHash: [UInt8]? = nil, target: [UInt8]? = nil, links: Int64 = 0
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
        self.allocatedBytes = allocatedBytes
        self.contentHash = contentHash
        self.target = target
        self.links = links
    }
}

/// An entry's row; a tombstone where `node` is nil.
package struct EntryRecord: Hashable, Sendable {
    package var parent: NodeID
    package var name: Name
    package var node: NodeID?
    package var seq: Seq
    package var commit: CommitID?
    /// The name was taken from a file, which lives on under others, by somebody who had not seen what was in it.
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

/// A segment row, valid for the revisions from `from` up to, not including, `to`.
package struct SegmentRecord: Hashable, Sendable {
    package var node: NodeID
    package var index: Int64
    package var from: Seq
    package var to: Seq?
    package var extents: [Extent]

    package init(node: NodeID, index: Int64, from: Seq, to: Seq? = nil, extents: [Extent]) {
        self.node = node
        self.index = index
        self.from = from
        self.to = to
        self.extents = extents
    }
}

/// One content state of a node.
package struct RevisionRecord: Hashable, Sendable {
    package var node: NodeID
    package var seq: Seq
    package var size: Int64
    package var mtime: Timestamp
    package var contentHash: [UInt8]?
    package var device: DeviceID
    package var committedAt: Timestamp

    package init(
        node: NodeID, seq: Seq, size: Int64, mtime: Timestamp, contentHash: [UInt8]?, device: DeviceID,
        committedAt: Timestamp
    ) {
        self.node = node
        self.seq = seq
        self.size = size
        self.mtime = mtime
        self.contentHash = contentHash
        self.device = device
        self.committedAt = committedAt
    }
}
