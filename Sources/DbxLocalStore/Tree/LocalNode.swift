package import DbxModel

/// A node as this client shows it, with what it needs to know for sync. A value: changing it changes nothing.
package struct LocalNode: Hashable, Sendable {
    package var number: InodeNumber
    package var id: NodeID
    package var kind: NodeKind
    package var attributes: NodeAttributes
    /// Kept here only; not part of what is synced.
    package var accessTime: Timestamp
    /// Names of the node; for a directory 2 and one for each directory in it, as POSIX counts.
    package var links: Int64
    package var size: Int64
    /// Bytes of content that are no holes.
    package var allocatedBytes: Int64
    /// Of a symlink, else nil.
    package var target: [UInt8]?

    /// The state last agreed with the server; 0 where it does not know the node.
    package var seq: Seq
    package var attributesSeq: Seq
    package var contentSeq: Seq
    package var attributesDirty: Bool
    package var contentDirty: Bool
    /// The agreed attributes, kept while ours differ.
    package var baseAttributes: NodeAttributes?
    /// The store's change counter at the node's last local change.
    package var change: Int64
    /// The same at the last change of its content.
    package var contentChange: Int64
    package var dirtySince: Timestamp?
    package var contentChangedAt: Timestamp
    /// Whether an fsync covered the last change of content.
    package var syncedSinceChange: Bool
    /// Somebody set the directory's times since its entries changed last.
    package var mtimeIsExplicit: Bool
    /// No name leads here any more; some program may still have it open.
    package var isOrphan: Bool
    /// A rule keeps it from the server; then it is new, and so is all below it that is not otherwise on the server.
    package var isLocalOnly = false
    /// How much of what a directory holds is known here.
    package var knowledge: DirectoryKnowledge = .whole

    /// The server does not know the node yet.
    package var isNew: Bool { seq == .zero }
    package var isDirty: Bool { attributesDirty || contentDirty }
    /// Tells contents of the file apart.
    package var contentVersion: Int64 { contentSeq.value &* 0x1_0000_0001 &+ contentChange }
}

/// How much of what the server has in a directory is known here (DESIGN §3, partial replicas). Of anything but a
/// directory: `whole`.
package enum DirectoryKnowledge: Hashable, Sendable {
    case whole
    /// All of it once was; names are to be compared with the server's again. Until then what is known counts.
    case stale
    /// Only the names that have entries here, and all up to where its listing has come.
    case partial
}

/// What `create` needs to know of a node.
package struct NewNode: Sendable {
    package var kind: NodeKind
    package var mode: UInt16
    package var uid: UInt32?
    package var gid: UInt32?
    package var rdev: UInt64
    package var target: [UInt8]?

    package init(
        kind: NodeKind, mode: UInt16, uid: UInt32? = nil, gid: UInt32? = nil, rdev: UInt64 = 0,
        target: [UInt8]? = nil
    ) {
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.rdev = rdev
        self.target = target
    }
}

/// Attributes to change; nil leaves a field alone. The times are as the caller decided them.
package struct AttributeUpdate: Sendable {
    package var mode: UInt16?
    /// The outer optional: whether to change; the inner: nil is "owner".
    package var uid: UInt32??
    package var gid: UInt32??
    package var mtime: Timestamp?
    package var extendedAttributes: [ExtendedAttribute]?

    package init(
        mode: UInt16? = nil, uid: UInt32?? = nil, gid: UInt32?? = nil, mtime: Timestamp? = nil,
        extendedAttributes: [ExtendedAttribute]? = nil
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime = mtime
        self.extendedAttributes = extendedAttributes
    }
}

/// One entry of a listing.
package struct DirectoryEntry: Hashable, Sendable {
    /// Increases along a listing, the entry's own for as long as the name exists; continue a listing after it.
    package var cookie: Int64
    package var name: Name
    package var number: InodeNumber
    package var kind: NodeKind
}

package enum RenameMode: Sendable {
    case replace
    case noReplace
    case exchange
}

/// An entry with its states for sync.
package struct LocalEntry: Hashable, Sendable {
    package var parent: InodeNumber
    package var parentID: NodeID
    package var name: Name
    /// What the name leads to here; nil: removed here.
    package var number: InodeNumber?
    package var node: NodeID?
    /// The agreed row or tombstone; 0 where the server never had one.
    package var base: Seq
    package var baseNode: NodeID?
    /// Differs from what the server has.
    package var dirty: Bool
    /// A rule keeps the name from the server, which has nothing under it; then `dirty` as well.
    package var isLocalOnly: Bool
    package var change: Int64
    /// The store's change counter when the name was taken from `baseNode` here. Nil where the server has given it to that
    /// only since.
    package var parted: Int64?
}

/// What a remote change touched, for the kernel's caches.
package enum TreeChange: Hashable, Sendable {
    case entry(parent: InodeNumber, name: Name)
    case content(InodeNumber)
    case attributes(InodeNumber)
}
