package import DbxLocalStore
package import DbxModel

/// What stat(2) tells of a node, as this mount shows it.
package struct FileAttributes: Hashable, Sendable {
    package var number: InodeNumber
    package var kind: NodeKind
    /// The twelve permission bits.
    package var permissions: UInt16
    package var links: UInt32
    package var uid: UInt32
    package var gid: UInt32
    package var rdev: UInt64
    package var size: Int64
    /// Of the content, in units of 512 bytes; never of the cache.
    package var blocks: Int64
    package var accessTime: Timestamp
    package var modificationTime: Timestamp
    package var changeTime: Timestamp

    /// What every directory says of its size.
    static let directoryBytes: Int64 = 4_096

    init(_ node: LocalNode, ownership: Ownership) {
        let attributes = node.attributes
        number = node.number
        kind = node.kind
        permissions = attributes.mode & 0o7777
        // As on btrfs, 1 is a folder's count that nobody knows.
        links = node.knowledge == .partial ? 1 : UInt32(clamping: node.links)
        uid = ownership.shownUser(attributes.uid)
        gid = ownership.shownGroup(attributes.gid)
        rdev = attributes.rdev
        size = node.kind == .directory ? Self.directoryBytes : node.size
        blocks = node.kind == .file ? (node.allocatedBytes + 511) / 512 : 0
        accessTime = node.accessTime
        modificationTime = attributes.mtime
        changeTime = attributes.ctime
    }

    /// Of a node whose row is gone: its number and kind are all that is known.
    init(past target: NameChange.Target, at now: Timestamp, ownership: Ownership) {
        number = target.number
        kind = target.kind
        permissions = 0o700
        links = target.kind == .directory ? 2 : 1
        uid = ownership.shownUser(nil)
        gid = ownership.shownGroup(nil)
        rdev = 0
        size = 0
        blocks = 0
        accessTime = now
        modificationTime = now
        changeTime = now
    }
}

/// One place of a listing.
package struct DirectoryItem: Hashable, Sendable {
    package var name: [UInt8]
    package var number: InodeNumber
    package var kind: NodeKind
    /// Whether this is `.` or `..`: no lookup for the kernel.
    package var isDot: Bool { name == [0x2E] || name == [0x2E, 0x2E] }
    /// Where a listing goes on after this item. Stays valid while names come and go.
    package var next: Int64
    /// Nil for `.` and `..`, and where a plain listing was asked for.
    package var attributes: FileAttributes?
}
