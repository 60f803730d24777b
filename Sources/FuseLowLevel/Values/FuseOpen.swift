internal import CFuse3
internal import Glibc

/// What the answer to open, opendir or create allows the kernel.
package struct FuseOpenFlags: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Every read and write of this file comes here; nothing is kept in the page cache.
    package static let directIO = FuseOpenFlags(rawValue: 1)
    /// What the page cache holds of the file is still true.
    package static let keepCache = FuseOpenFlags(rawValue: 2)
    package static let nonSeekable = FuseOpenFlags(rawValue: 4)
    /// The kernel may keep a directory's listing (until an invalidation of the directory's inode).
    package static let cacheDirectory = FuseOpenFlags(rawValue: 8)
    /// No FLUSH on close.
    package static let noFlush = FuseOpenFlags(rawValue: 16)
}

/// The answer to open, opendir and create.
package struct FuseOpened: Sendable {
    package var handle: FuseHandle
    package var flags: FuseOpenFlags

    package init(handle: FuseHandle, flags: FuseOpenFlags = []) {
        self.handle = handle
        self.flags = flags
    }

    var cValue: fuse_file_info {
        var info = fuse_file_info()
        info.fh = handle.rawValue
        info.direct_io = flags.contains(.directIO) ? 1 : 0
        info.keep_cache = flags.contains(.keepCache) ? 1 : 0
        info.nonseekable = flags.contains(.nonSeekable) ? 1 : 0
        info.cache_readdir = flags.contains(.cacheDirectory) ? 1 : 0
        info.noflush = flags.contains(.noFlush) ? 1 : 0
        return info
    }
}
