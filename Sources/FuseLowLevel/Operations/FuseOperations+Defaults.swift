internal import CFuse3
internal import Glibc

/// What a file system answers where it implements nothing: ENOSYS.
extension FuseOperations {
    package func initialize(_ connection: inout FuseConnectionInfo) {}
    package func destroy() {}
    package func forget(_ inode: FuseInode, lookups: UInt64) {}

    package func access(_ inode: FuseInode, mask: Int32, context: FuseContext, reply: consuming FuseReplyNone) {
        reply.fail(ENOSYS)
    }
    package func setAttributes(
        of inode: FuseInode, to change: FuseAttributeChange, context: FuseContext,
        reply: consuming FuseReplyAttributes
    ) { reply.fail(ENOSYS) }
    package func readLink(_ inode: FuseInode, context: FuseContext, reply: consuming FuseReplyLink) {
        reply.fail(ENOSYS)
    }
    package func makeNode(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, rdev: UInt64, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) { reply.fail(ENOSYS) }
    package func makeDirectory(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) { reply.fail(ENOSYS) }
    package func makeSymlink(
        _ name: Span<UInt8>, in parent: FuseInode, target: Span<UInt8>, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) { reply.fail(ENOSYS) }
    package func link(
        _ inode: FuseInode, as name: Span<UInt8>, in parent: FuseInode, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) { reply.fail(ENOSYS) }
    package func unlink(
        _ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
    package func removeDirectory(
        _ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
    package func rename(
        _ name: Span<UInt8>, in parent: FuseInode, to newName: Span<UInt8>, in newParent: FuseInode,
        flags: FuseRenameFlags, context: FuseContext, reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
    package func create(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyCreate
    ) { reply.fail(ENOSYS) }
    package func createTemporary(
        in parent: FuseInode, mode: UInt32, flags: Int32, context: FuseContext, reply: consuming FuseReplyCreate
    ) { reply.fail(ENOSYS) }
    package func open(_ inode: FuseInode, flags: Int32, context: FuseContext, reply: consuming FuseReplyOpen) {
        reply.fail(ENOSYS)
    }
    package func read(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, count: Int, context: FuseContext,
        reply: consuming FuseReplyData
    ) { reply.fail(ENOSYS) }
    package func write(
        _ bytes: RawSpan, to inode: FuseInode, handle: FuseHandle, offset: Int64, flags: FuseWriteFlags,
        context: FuseContext, reply: consuming FuseReplyWrite
    ) { reply.fail(ENOSYS) }
    package func flush(
        _ inode: FuseInode, handle: FuseHandle, context: FuseContext, reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
    package func release(
        _ inode: FuseInode, handle: FuseHandle, flags: Int32, context: FuseContext, reply: consuming FuseReplyNone
    ) { reply.succeed() }
    package func synchronize(
        _ inode: FuseInode, handle: FuseHandle, dataOnly: Bool, context: FuseContext,
        reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
    package func allocate(
        _ inode: FuseInode, handle: FuseHandle, mode: Int32, offset: Int64, length: Int64, context: FuseContext,
        reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
    package func copyRange(
        from source: FuseCopyEnd, to target: FuseCopyEnd, count: Int, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyWrite
    ) { reply.fail(ENOSYS) }
    package func seek(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, whence: Int32, context: FuseContext,
        reply: consuming FuseReplySeek
    ) { reply.fail(ENOSYS) }
    package func openDirectory(
        _ inode: FuseInode, flags: Int32, context: FuseContext, reply: consuming FuseReplyOpen
    ) { reply.succeed(FuseOpened(handle: FuseHandle(rawValue: 0))) }
    package func readDirectory(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, context: FuseContext,
        reply: consuming FuseReplyDirectory
    ) { reply.fail(ENOSYS) }
    package func readDirectoryPlus(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, context: FuseContext,
        reply: consuming FuseReplyDirectoryPlus
    ) { reply.fail(ENOSYS) }
    package func releaseDirectory(
        _ inode: FuseInode, handle: FuseHandle, context: FuseContext, reply: consuming FuseReplyNone
    ) { reply.succeed() }
    package func synchronizeDirectory(
        _ inode: FuseInode, handle: FuseHandle, dataOnly: Bool, context: FuseContext,
        reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
    package func statistics(
        of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyStatistics
    ) { reply.succeed(FuseStatistics()) }
    package func setExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, value: Span<UInt8>, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
    package func getExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, context: FuseContext,
        reply: consuming FuseReplyExtendedAttribute
    ) { reply.fail(ENOSYS) }
    package func listExtendedAttributes(
        of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyExtendedAttribute
    ) { reply.fail(ENOSYS) }
    package func removeExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyNone
    ) { reply.fail(ENOSYS) }
}
