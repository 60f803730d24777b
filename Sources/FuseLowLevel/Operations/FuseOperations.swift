/// A file system as the kernel calls it (libfuse's `fuse_lowlevel_ops`, fuse_lowlevel.h).
///
/// Methods are called on the session's worker threads, several at a time. Names and written bytes are lent for the time
/// of the call. Each request is answered exactly once through its reply, then or later from any thread; a reply that is
/// dropped answers EIO. Errors are errno values. A method that is not implemented answers ENOSYS, which the kernel
/// remembers for access, flush, fsync, xattrs, lseek and the like and does not ask again.
package protocol FuseOperations: AnyObject, Sendable {
    /// The connection begins. Called once, before every other request.
    func initialize(_ connection: inout FuseConnectionInfo)
    /// The connection ends: no request follows. Replies that are owed are to be answered or dropped soon.
    func destroy()

    func lookup(_ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyEntry)
    /// The kernel drops `lookups` of the references that entry replies gave it.
    func forget(_ inode: FuseInode, lookups: UInt64)

    // Attributes
    func getAttributes(
        of inode: FuseInode, handle: FuseHandle?, context: FuseContext, reply: consuming FuseReplyAttributes)
    func setAttributes(
        of inode: FuseInode, to change: FuseAttributeChange, context: FuseContext,
        reply: consuming FuseReplyAttributes)
    func access(_ inode: FuseInode, mask: Int32, context: FuseContext, reply: consuming FuseReplyNone)

    // Names
    func readLink(_ inode: FuseInode, context: FuseContext, reply: consuming FuseReplyLink)
    func makeNode(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, rdev: UInt64, context: FuseContext,
        reply: consuming FuseReplyEntry)
    func makeDirectory(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, context: FuseContext,
        reply: consuming FuseReplyEntry)
    func makeSymlink(
        _ name: Span<UInt8>, in parent: FuseInode, target: Span<UInt8>, context: FuseContext,
        reply: consuming FuseReplyEntry)
    func link(
        _ inode: FuseInode, as name: Span<UInt8>, in parent: FuseInode, context: FuseContext,
        reply: consuming FuseReplyEntry)
    func unlink(_ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyNone)
    func removeDirectory(
        _ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyNone)
    func rename(
        _ name: Span<UInt8>, in parent: FuseInode, to newName: Span<UInt8>, in newParent: FuseInode,
        flags: FuseRenameFlags, context: FuseContext, reply: consuming FuseReplyNone)

    // Files
    /// Creates and opens. `flags` are those of open(2) without O_CREAT, O_EXCL and O_NOCTTY.
    func create(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyCreate)
    /// O_TMPFILE: creates and opens a file without a name; `link` may give it one later.
    func createTemporary(
        in parent: FuseInode, mode: UInt32, flags: Int32, context: FuseContext, reply: consuming FuseReplyCreate)
    func open(_ inode: FuseInode, flags: Int32, context: FuseContext, reply: consuming FuseReplyOpen)
    func read(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, count: Int, context: FuseContext,
        reply: consuming FuseReplyData)
    func write(
        _ bytes: RawSpan, to inode: FuseInode, handle: FuseHandle, offset: Int64, flags: FuseWriteFlags,
        context: FuseContext, reply: consuming FuseReplyWrite)
    /// One of possibly several descriptors of the handle is closed; an error is close(2)'s.
    func flush(_ inode: FuseInode, handle: FuseHandle, context: FuseContext, reply: consuming FuseReplyNone)
    /// The last descriptor is gone. `flags` are those of the open; an error reaches nobody.
    func release(
        _ inode: FuseInode, handle: FuseHandle, flags: Int32, context: FuseContext, reply: consuming FuseReplyNone)
    func synchronize(
        _ inode: FuseInode, handle: FuseHandle, dataOnly: Bool, context: FuseContext,
        reply: consuming FuseReplyNone)
    func allocate(
        _ inode: FuseInode, handle: FuseHandle, mode: Int32, offset: Int64, length: Int64, context: FuseContext,
        reply: consuming FuseReplyNone)
    func copyRange(
        from source: FuseCopyEnd, to target: FuseCopyEnd, count: Int, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyWrite)
    /// SEEK_DATA and SEEK_HOLE; the kernel does the rest itself.
    func seek(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, whence: Int32, context: FuseContext,
        reply: consuming FuseReplySeek)

    // Directories
    func openDirectory(_ inode: FuseInode, flags: Int32, context: FuseContext, reply: consuming FuseReplyOpen)
    /// Entries after the one whose `next` was `offset` (0: from the start), names and kinds only.
    func readDirectory(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, context: FuseContext,
        reply: consuming FuseReplyDirectory)
    /// The same with attributes; every entry added but "." and ".." counts as one lookup.
    func readDirectoryPlus(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, context: FuseContext,
        reply: consuming FuseReplyDirectoryPlus)
    func releaseDirectory(
        _ inode: FuseInode, handle: FuseHandle, context: FuseContext, reply: consuming FuseReplyNone)
    func synchronizeDirectory(
        _ inode: FuseInode, handle: FuseHandle, dataOnly: Bool, context: FuseContext,
        reply: consuming FuseReplyNone)

    // The file system and extended attributes
    func statistics(of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyStatistics)
    /// `flags` are XATTR_CREATE, XATTR_REPLACE or 0.
    func setExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, value: Span<UInt8>, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyNone)
    func getExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, context: FuseContext,
        reply: consuming FuseReplyExtendedAttribute)
    /// The answer is the names, each followed by a zero byte.
    func listExtendedAttributes(
        of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyExtendedAttribute)
    func removeExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyNone)
}

/// How a write request came about.
package struct FuseWriteFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Written back from the page cache (mmap): context and handle may be another writer's.
    package static let fromPageCache = FuseWriteFlags(rawValue: 1)
}

/// One side of a copy_file_range request.
package struct FuseCopyEnd: Hashable, Sendable {
    package var inode: FuseInode
    package var handle: FuseHandle
    package var offset: Int64
}
