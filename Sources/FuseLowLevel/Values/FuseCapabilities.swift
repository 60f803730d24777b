internal import CFuse3
internal import Glibc

/// What the kernel and the file system can agree on when the connection begins (`FUSE_CAP_*`).
package struct FuseCapabilities: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    private init(_ bit: Int32) { rawValue = UInt32(bitPattern: bit) }

    package static let asynchronousReads = Self(FUSE_CAP_ASYNC_READ)
    /// O_TRUNC comes with open instead of as a setattr before it.
    package static let atomicTruncate = Self(FUSE_CAP_ATOMIC_O_TRUNC)
    /// Lookups of "." and ".." are answered, so that the mount can be exported over NFS.
    package static let exportSupport = Self(FUSE_CAP_EXPORT_SUPPORT)
    /// The umask is left to the file system.
    package static let umaskHere = Self(FUSE_CAP_DONT_MASK)
    package static let automaticInvalidation = Self(FUSE_CAP_AUTO_INVAL_DATA)
    package static let explicitInvalidation = Self(FUSE_CAP_EXPLICIT_INVAL_DATA)
    package static let readDirectoryPlus = Self(FUSE_CAP_READDIRPLUS)
    /// The kernel chooses between plain listings and those with attributes.
    package static let readDirectoryPlusAutomatic = Self(FUSE_CAP_READDIRPLUS_AUTO)
    package static let asynchronousDirectIO = Self(FUSE_CAP_ASYNC_DIO)
    package static let writebackCache = Self(FUSE_CAP_WRITEBACK_CACHE)
    package static let parallelDirectoryOperations = Self(FUSE_CAP_PARALLEL_DIROPS)
    package static let posixACL = Self(FUSE_CAP_POSIX_ACL)
    /// The file system itself drops set-id bits where `FuseContext.clearsSetID` says so and on chown. Without this the
    /// kernel asks for security.capability before every write. (FUSE_HANDLE_KILLPRIV_V2 of the protocol; no bit of libfuse 3.14, which is why this one is our own.)
    package static let clearsPrivileges = Self(rawValue: 1 << 31)
    package static let cacheSymlinks = Self(FUSE_CAP_CACHE_SYMLINKS)
    package static let noOpen = Self(FUSE_CAP_NO_OPEN_SUPPORT)
    package static let noOpenDirectory = Self(FUSE_CAP_NO_OPENDIR_SUPPORT)

    /// What a file system with long timeouts and precise invalidation wants: neither writeback cache nor splice.
    package static let standard: Self = [
        .asynchronousReads, .atomicTruncate, .exportSupport, .explicitInvalidation, .readDirectoryPlus,
        .readDirectoryPlusAutomatic, .asynchronousDirectIO, .parallelDirectoryOperations, .cacheSymlinks,
    ]
}

/// The terms of a connection, as the kernel offers them and the file system may change them.
package struct FuseConnectionInfo: Sendable {
    package let protocolMinor: UInt32
    /// What the kernel can do.
    package let offered: FuseCapabilities
    /// What is asked for; what is not offered is left out.
    package var wanted: FuseCapabilities
    package var maximumWriteBytes: UInt32
    package var maximumReadAheadBytes: UInt32
    /// Requests the kernel keeps under way on its own account (readahead, asynchronous direct I/O).
    package var maximumBackground: UInt32
}
