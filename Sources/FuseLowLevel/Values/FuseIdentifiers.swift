/// A node as the kernel knows it: chosen by the file system in a lookup, valid until forgotten. Never 0.
package struct FuseInode: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let root = FuseInode(rawValue: 1)
}

/// An open file or directory: chosen by the file system in open, opendir or create, given back until release.
package struct FuseHandle: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Who asks: the calling thread's ids as its file-system calls use them.
package struct FuseContext: Hashable, Sendable {
    package var uid: UInt32
    package var gid: UInt32
    /// The thread's id; 0 for requests that the kernel makes on its own.
    package var pid: Int32
    package var umask: UInt32
    /// In write, setattr with a size, and open or create with O_TRUNC: the caller may not keep set-id bits. The file
    /// system clears set-user-id, and set-group-id where the group may execute. Only with `clearsPrivileges`.
    package var clearsSetID: Bool

    package init(uid: UInt32, gid: UInt32, pid: Int32, umask: UInt32, clearsSetID: Bool = false) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.umask = umask
        self.clearsSetID = clearsSetID
    }
}

/// The flags of renameat2(2); other bits arrive too and are to be refused with EINVAL.
package struct FuseRenameFlags: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noReplace = FuseRenameFlags(rawValue: 1)
    package static let exchange = FuseRenameFlags(rawValue: 2)
}

extension [UInt8] {
    /// A copy of a name or value that a request lends for the time of the call.
    package init(copying bytes: Span<UInt8>) {
        // Safe: both buffers have `count` bytes and live through the closures.
        self = unsafe [UInt8](unsafeUninitializedCapacity: bytes.count) { target, initialized in
            unsafe bytes.withUnsafeBufferPointer { source in
                _ = unsafe target.initialize(from: source)
            }
            initialized = bytes.count
        }
    }
}
