package import DbxModel

/// A changeset: row states with the bases they were made on. The server applies all of it or nothing.
///
/// The same `id` with the same body gets its first answer again; with another body it is an error
/// (`commit-id-reused`). The body is kept unchanged on the client until it is answered.
package struct CommitRequest: Hashable, Sendable, Codable {
    package var id: CommitID
    /// The client's: the bases are seqs of that history, and the commit is refused in another one.
    package var cursor: String?
    package var nodes: [NodeChange]
    package var entries: [EntryChange]
    package var directoryTimes: [DirectoryTime]
    /// How to open the blocks that this commit brings into the namespace; one for each that is new to it.
    package var blocks: [CommittedBlock]

    package init(
        id: CommitID, cursor: String? = nil, nodes: [NodeChange] = [], entries: [EntryChange] = [],
        directoryTimes: [DirectoryTime] = [],
        blocks: [CommittedBlock] = []
    ) {
        self.id = id
        self.cursor = cursor
        self.nodes = nodes
        self.entries = entries
        self.directoryTimes = directoryTimes
        self.blocks = blocks
    }
}

extension CommitRequest {
    /// From a body in either form.
    package init(body: [UInt8]) throws {
        self = try PackedCommit.isPacked(body) ? PackedCommit.decode(body) : WireJSON.decode(Self.self, from: body)
    }
}

/// A node that is new (both bases 0, both parts given; content for regular files only) or changed.
package struct NodeChange: Hashable, Sendable, Codable {
    package var id: NodeID
    package var kind: NodeKind
    package var attributes: AttributesChange?
    package var content: ContentChange?

    package init(id: NodeID, kind: NodeKind, attributes: AttributesChange? = nil, content: ContentChange? = nil) {
        self.id = id
        self.kind = kind
        self.attributes = attributes
        self.content = content
    }
}

/// The whole new state of a node's attributes. `base` is the node's `attributesSeq`, 0 when it is new.
package struct AttributesChange: Hashable, Sendable, Codable {
    package var base: Seq
    package var state: NodeAttributes
    /// Target of a symlink; given when it is new, ignored later.
    package var target: Base64?

    package init(base: Seq, state: NodeAttributes, target: Base64? = nil) {
        self.base = base
        self.state = state
        self.target = target
    }
}

/// The new content of a regular file. `base` is its `contentSeq`, 0 when it is new.
///
/// `segments` are those that differ from the base; rows that lie wholly past `size` go by themselves. `mtime` and
/// `ctime` become the node's without being compared.
package struct ContentChange: Hashable, Sendable, Codable {
    package var base: Seq
    package var size: Int64
    package var mtime: Timestamp
    package var ctime: Timestamp
    package var contentHash: Base64?
    package var segments: [SegmentChange]

    package init(
        base: Seq, size: Int64, mtime: Timestamp, ctime: Timestamp, contentHash: Base64? = nil,
        segments: [SegmentChange]
    ) {
        self.base = base
        self.size = size
        self.mtime = mtime
        self.ctime = ctime
        self.contentHash = contentHash
        self.segments = segments
    }
}

/// The new state of one segment row: `extents` are all of it (none make it a hole), or, where `base` is given, they are
/// laid over the row as it stands.
package struct SegmentChange: Hashable, Sendable, Codable {
    package var index: Int64
    package var extents: [Extent]
    package var base: SegmentBase?

    package init(index: Int64, extents: [Extent], base: SegmentBase? = nil) {
        self.index = index
        self.extents = extents
        self.base = base
    }
}

/// The row that a change of a segment is laid over.
package struct SegmentBase: Hashable, Sendable, Codable {
    /// The first 8 bytes of the SHA-256 of its stored form, or, with `moves`, of that of the row that comes out: what is
    /// laid over another row would be no file's content.
    package var digest: Base64
    /// What of it becomes holes.
    package var holes: [FileRange]
    /// What is put in next, before the change's extents.
    package var moves: SegmentMoves?

    package init(digest: Base64, holes: [FileRange], moves: SegmentMoves? = nil) {
        self.digest = digest
        self.holes = holes
        self.moves = moves
    }
}

/// Content that the server has elsewhere, as it stood before the commit.
package struct SegmentMoves: Hashable, Sendable, Codable {
    /// The file that it is taken from; nil: the same.
    package var node: NodeID?
    package var ranges: [MovedRange]

    package static let maximumRanges = 256
    /// Of the file that is taken from, how many segments may be named.
    package static let maximumSegments = 4

    package init(node: NodeID?, ranges: [MovedRange]) {
        self.node = node
        self.ranges = ranges
    }
}

/// What stood at `from` goes to `offset`.
package struct MovedRange: Hashable, Sendable, Codable {
    package var offset: Int64
    package var length: Int64
    package var from: Int64

    package init(offset: Int64, length: Int64, from: Int64) {
        self.offset = offset
        self.length = length
        self.from = from
    }
}

package struct FileRange: Hashable, Sendable, Codable {
    package var offset: Int64
    package var length: Int64

    package init(offset: Int64, length: Int64) {
        self.offset = offset
        self.length = length
    }
}

/// `node` nil removes the entry. `base` is the seq of the current row or tombstone, 0 where there never was one.
package struct EntryChange: Hashable, Sendable {
    package var parent: NodeID
    package var name: Name
    package var base: Seq
    package var node: NodeID?
    /// The `contentSeq` of the file that the name led to, as the client knows it. Should the commit end that file while it
    /// has newer content, this is a conflict: an edit is not deleted unseen.
    package var lastContent: Seq?
    /// Whether the client knows another name of the file. Should the commit end the file all the same, this is a conflict.
    package var hasOtherName: Bool

    package init(
        parent: NodeID, name: Name, base: Seq, node: NodeID?, lastContent: Seq? = nil, hasOtherName: Bool = false
    ) {
        self.parent = parent
        self.name = name
        self.base = base
        self.node = node
        self.lastContent = lastContent
        self.hasOtherName = hasOtherName
    }
}

extension EntryChange: Codable {
    private enum Key: String, CodingKey { case parent, name, name64, base, node, lastContent, hasOtherName }

    package init(from decoder: any Decoder) throws {
        let row = try decoder.container(keyedBy: Key.self)
        self.init(
            parent: try row.decode(NodeID.self, forKey: .parent),
            name: try row.decodeName(asText: .name, orBase64: .name64),
            base: try row.decode(Seq.self, forKey: .base),
            node: try row.decodeIfPresent(NodeID.self, forKey: .node),
            lastContent: try row.decodeIfPresent(Seq.self, forKey: .lastContent),
            hasOtherName: try row.decodeIfPresent(Bool.self, forKey: .hasOtherName) ?? false)
    }

    package func encode(to encoder: any Encoder) throws {
        var row = encoder.container(keyedBy: Key.self)
        try row.encode(parent, forKey: .parent)
        try row.encode(name.bytes, asText: .name, orBase64: .name64)
        try row.encode(base, forKey: .base)
        try row.encodeIfPresent(node, forKey: .node)
        try row.encodeIfPresent(lastContent, forKey: .lastContent)
        if hasOtherName { try row.encode(true, forKey: .hasOtherName) }
    }
}

/// What the client's entry changes did to a directory's times; never compared. Where `explicit` is false the server
/// keeps the later of its own and this; where it is true (somebody set it, as tar does) it takes this.
package struct DirectoryTime: Hashable, Sendable, Codable {
    package var node: NodeID
    package var mtime: Timestamp
    package var explicit: Bool

    package init(node: NodeID, mtime: Timestamp, explicit: Bool) {
        self.node = node
        self.mtime = mtime
        self.explicit = explicit
    }
}

/// A block that is new to the namespace. `body` is its stored form, for blocks of `ContentLimits.maximumInlineBytes` at
/// most: such a one needs no upload before.
package struct CommittedBlock: Hashable, Sendable, Codable {
    package var id: BlockID
    package var wrap: BlockWrap
    package var body: Base64?

    package init(id: BlockID, wrap: BlockWrap, body: Base64? = nil) {
        self.id = id
        self.wrap = wrap
        self.body = body
    }
}

/// The answer to a commit: every row of it now has this seq (a node's `attributesSeq` and `contentSeq` where that
/// part was given).
package struct CommitResult: Hashable, Sendable, Codable {
    package var seq: Seq
    package var quota: Quota
    /// The cursor that the commit named, at the same place, which knows of the commit: to be used from now on.
    package var cursor: String?

    package init(seq: Seq, quota: Quota, cursor: String? = nil) {
        self.seq = seq
        self.quota = quota
        self.cursor = cursor
    }
}

/// Bytes of current content (allocated, not holes) and what is allowed; no limit when nil.
package struct Quota: Hashable, Sendable, Codable {
    package var usedBytes: Int64
    package var limitBytes: Int64?

    package init(usedBytes: Int64, limitBytes: Int64?) {
        self.usedBytes = usedBytes
        self.limitBytes = limitBytes
    }
}
