internal import CFuse3
internal import Glibc
package import DbxModel

/// What stat(2) tells of a node, as plain values.
package struct FuseAttributes: Hashable, Sendable {
    package var inode: FuseInode
    /// File type and permission bits, as in `st_mode`.
    package var mode: UInt32
    package var links: UInt32
    package var uid: UInt32
    package var gid: UInt32
    package var rdev: UInt64
    package var size: Int64
    /// In units of 512 bytes.
    package var blocks: Int64
    package var blockSize: UInt32
    package var accessTime: Timestamp
    package var modificationTime: Timestamp
    package var changeTime: Timestamp

    package init(
        inode: FuseInode, mode: UInt32, links: UInt32 = 1, uid: UInt32 = 0, gid: UInt32 = 0, rdev: UInt64 = 0,
        size: Int64 = 0, blocks: Int64 = 0, blockSize: UInt32 = 4096,
        accessTime: Timestamp, modificationTime: Timestamp, changeTime: Timestamp
    ) {
        self.inode = inode
        self.mode = mode
        self.links = links
        self.uid = uid
        self.gid = gid
        self.rdev = rdev
        self.size = size
        self.blocks = blocks
        self.blockSize = blockSize
        self.accessTime = accessTime
        self.modificationTime = modificationTime
        self.changeTime = changeTime
    }
}

/// The answer to a lookup: a node, and for how long the kernel may keep the name and the attributes.
package struct FuseEntry: Hashable, Sendable {
    package var attributes: FuseAttributes
    /// Tells apart two nodes that had one number at different times (for NFS export).
    package var generation: UInt64
    package var entryTimeoutSeconds: Double
    package var attributeTimeoutSeconds: Double
    /// Whether the kernel learns that the name does not exist, and may keep that for `entryTimeoutSeconds`.
    package var isNegative: Bool

    package init(
        _ attributes: FuseAttributes, generation: UInt64 = 0, entryTimeoutSeconds: Double,
        attributeTimeoutSeconds: Double
    ) {
        self.attributes = attributes
        self.generation = generation
        self.entryTimeoutSeconds = entryTimeoutSeconds
        self.attributeTimeoutSeconds = attributeTimeoutSeconds
        isNegative = false
    }

    /// "No such name, and you may remember it": ENOENT that the kernel caches.
    package static func negative(timeoutSeconds: Double) -> FuseEntry {
        let none = Timestamp(nanoseconds: 0)
        var entry = FuseEntry(
            FuseAttributes(
                inode: .root, mode: 0, accessTime: none, modificationTime: none, changeTime: none),
            entryTimeoutSeconds: timeoutSeconds, attributeTimeoutSeconds: 0)
        entry.isNegative = true
        return entry
    }
}

/// What statvfs(3) tells of the file system.
package struct FuseStatistics: Hashable, Sendable {
    package var blockSize: UInt64 = 4096
    package var blocks: UInt64 = 0
    package var blocksFree: UInt64 = 0
    package var blocksAvailable: UInt64 = 0
    package var files: UInt64 = 0
    package var filesFree: UInt64 = 0
    package var maximumNameBytes: UInt64 = 255

    package init() {}
}

extension FuseAttributes {
    var cValue: stat {
        var value = stat()
        value.st_ino = numericCast(inode.rawValue)
        value.st_mode = mode
        value.st_nlink = numericCast(links)
        value.st_uid = uid
        value.st_gid = gid
        value.st_rdev = numericCast(rdev)
        value.st_size = numericCast(size)
        value.st_blocks = numericCast(blocks)
        value.st_blksize = numericCast(blockSize)
        value.st_atim = accessTime.cValue
        value.st_mtim = modificationTime.cValue
        value.st_ctim = changeTime.cValue
        return value
    }
}

extension FuseEntry {
    var cValue: fuse_entry_param {
        var value = fuse_entry_param()
        value.entry_timeout = entryTimeoutSeconds
        guard !isNegative else { return value }
        value.ino = attributes.inode.rawValue
        value.generation = generation
        value.attr = attributes.cValue
        value.attr_timeout = attributeTimeoutSeconds
        return value
    }
}

extension FuseStatistics {
    var cValue: statvfs {
        var value = statvfs()
        value.f_bsize = numericCast(blockSize)
        value.f_frsize = numericCast(blockSize)
        value.f_blocks = numericCast(blocks)
        value.f_bfree = numericCast(blocksFree)
        value.f_bavail = numericCast(blocksAvailable)
        value.f_files = numericCast(files)
        value.f_ffree = numericCast(filesFree)
        value.f_favail = numericCast(filesFree)
        value.f_namemax = numericCast(maximumNameBytes)
        return value
    }
}

extension Timestamp {
    var cValue: timespec {
        var value = timespec()
        value.tv_sec = numericCast(seconds)
        value.tv_nsec = numericCast(subsecondNanoseconds)
        return value
    }

    init(_ value: timespec) {
        self.init(seconds: Int64(value.tv_sec), nanoseconds: Int64(value.tv_nsec))
    }
}
