internal import CFuse3
internal import Glibc

extension FuseCallbacks {
    static func setFiles(_ table: inout fuse_lowlevel_ops) {
        unsafe table.create = { request, parent, name, mode, info in
            let call = unsafe FuseCall(request)
            if unsafe bytes(name).first == FuseProtocolHeader.temporaryName {
                return unsafe call.operations.createTemporary(
                    in: FuseInode(rawValue: parent), mode: mode, flags: flags(info), context: call.writingContext,
                    reply: call.reply())
            }
            unsafe call.operations.create(
                bytes(name).span, in: FuseInode(rawValue: parent), mode: mode, flags: flags(info),
                context: call.writingContext, reply: call.reply())
        }
        unsafe table.open = { request, inode, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.open(
                FuseInode(rawValue: inode), flags: flags(info), context: call.writingContext, reply: call.reply())
        }
        unsafe table.read = { request, inode, size, offset, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.read(
                FuseInode(rawValue: inode), handle: openHandle(info), offset: Int64(offset), count: size,
                context: call.context, reply: call.readReply(FuseInode(rawValue: inode)))
        }
        unsafe table.write = { request, inode, buffer, size, offset, info in
            let call = unsafe FuseCall(request)
            let data = unsafe UnsafeRawBufferPointer(start: buffer, count: size)
            unsafe call.operations.write(
                data.bytes, to: FuseInode(rawValue: inode), handle: openHandle(info), offset: Int64(offset),
                flags: writeFlags(info), context: call.writingContext, reply: call.reply())
        }
        unsafe table.flush = { request, inode, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.flush(
                FuseInode(rawValue: inode), handle: openHandle(info), context: call.context, reply: call.reply())
        }
        unsafe table.release = { request, inode, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.release(
                FuseInode(rawValue: inode), handle: openHandle(info), flags: flags(info), context: call.context,
                reply: call.reply())
        }
        unsafe table.fsync = { request, inode, dataOnly, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.synchronize(
                FuseInode(rawValue: inode), handle: openHandle(info), dataOnly: dataOnly != 0,
                context: call.context, reply: call.reply())
        }
    }

    static func setFileRanges(_ table: inout fuse_lowlevel_ops) {
        unsafe table.fallocate = { request, inode, mode, offset, length, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.allocate(
                FuseInode(rawValue: inode), handle: openHandle(info), mode: mode, offset: Int64(offset),
                length: Int64(length), context: call.context, reply: call.reply())
        }
        unsafe table.copy_file_range = {
            request, inode, offset, info, targetInode, targetOffset, targetInfo, count, flags in
            let call = unsafe FuseCall(request)
            let source = unsafe FuseCopyEnd(
                inode: FuseInode(rawValue: inode), handle: openHandle(info), offset: Int64(offset))
            let target = unsafe FuseCopyEnd(
                inode: FuseInode(rawValue: targetInode), handle: openHandle(targetInfo),
                offset: Int64(targetOffset))
            call.operations.copyRange(
                from: source, to: target, count: count, flags: flags, context: call.context, reply: call.reply())
        }
        unsafe table.lseek = { request, inode, offset, whence, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.seek(
                FuseInode(rawValue: inode), handle: openHandle(info), offset: Int64(offset), whence: whence,
                context: call.context, reply: call.reply())
        }
    }

    static func setDirectories(_ table: inout fuse_lowlevel_ops) {
        unsafe table.opendir = { request, inode, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.openDirectory(
                FuseInode(rawValue: inode), flags: flags(info), context: call.context, reply: call.reply())
        }
        unsafe table.readdir = { request, inode, size, offset, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.readDirectory(
                FuseInode(rawValue: inode), handle: openHandle(info), offset: Int64(offset),
                context: call.context, reply: FuseReplyDirectory(call.request(), capacity: size))
        }
        unsafe table.readdirplus = { request, inode, size, offset, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.readDirectoryPlus(
                FuseInode(rawValue: inode), handle: openHandle(info), offset: Int64(offset),
                context: call.context, reply: FuseReplyDirectoryPlus(call.request(), capacity: size))
        }
        unsafe table.releasedir = { request, inode, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.releaseDirectory(
                FuseInode(rawValue: inode), handle: openHandle(info), context: call.context, reply: call.reply())
        }
        unsafe table.fsyncdir = { request, inode, dataOnly, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.synchronizeDirectory(
                FuseInode(rawValue: inode), handle: openHandle(info), dataOnly: dataOnly != 0,
                context: call.context, reply: call.reply())
        }
    }
}

private func writeFlags(_ info: UnsafeMutablePointer<fuse_file_info>?) -> FuseWriteFlags {
    guard let info = unsafe info else { return [] }
    return unsafe info.pointee.writepage != 0 ? .fromPageCache : []
}
