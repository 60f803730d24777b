internal import CFuse3
internal import Glibc

/// The functions that libfuse calls: each decodes and calls the operation.
///
/// Locks are left to the kernel (getlk, setlk and flock stay unset); ioctl without a function answers ENOSYS,
/// which the kernel turns into ENOTTY.
enum FuseCallbacks {
    static let table: fuse_lowlevel_ops = {
        var table = fuse_lowlevel_ops()
        setConnection(&table)
        setAttributes(&table)
        setNames(&table)
        setFiles(&table)
        setFileRanges(&table)
        setDirectories(&table)
        setExtendedAttributes(&table)
        return table
    }()

    // `destroy` stays unset: libfuse calls it when it frees the session, the session does so when it ends.
    private static func setConnection(_ table: inout fuse_lowlevel_ops) {
        unsafe table.`init` = { userdata, info in
            guard let userdata = unsafe userdata, let info = unsafe info else { return }
            // Safe: `userdata` is the connection, which the worker that runs this callback keeps alive.
            let connection = unsafe Unmanaged<FuseConnection>.fromOpaque(userdata).takeUnretainedValue()
            unsafe connection.negotiate(&info.pointee)
        }
        unsafe table.lookup = { request, parent, name in
            let call = unsafe FuseCall(request)
            unsafe call.operations.lookup(
                bytes(name).span, in: FuseInode(rawValue: parent), context: call.context, reply: call.reply())
        }
        unsafe table.forget = { request, inode, lookups in
            let call = unsafe FuseCall(request)
            call.operations.forget(FuseInode(rawValue: inode), lookups: lookups)
            call.endForget()
        }
        unsafe table.forget_multi = { request, count, forgets in
            let call = unsafe FuseCall(request)
            guard let forgets = unsafe forgets else { return call.endForget() }
            for index in 0..<count {
                let forget = unsafe forgets[index]
                call.operations.forget(FuseInode(rawValue: forget.ino), lookups: forget.nlookup)
            }
            call.endForget()
        }
    }

    private static func setAttributes(_ table: inout fuse_lowlevel_ops) {
        unsafe table.getattr = { request, inode, info in
            let call = unsafe FuseCall(request)
            unsafe call.operations.getAttributes(
                of: FuseInode(rawValue: inode), handle: handle(info), context: call.context, reply: call.reply())
        }
        unsafe table.setattr = { request, inode, attributes, valid, info in
            let call = unsafe FuseCall(request)
            guard let attributes = unsafe attributes else { return call.request().fail(EINVAL) }
            let change = unsafe FuseAttributeChange(attributes, valid: valid, handle: handle(info))
            call.operations.setAttributes(
                of: FuseInode(rawValue: inode), to: change, context: call.writingContext, reply: call.reply())
        }
        unsafe table.access = { request, inode, mask in
            let call = unsafe FuseCall(request)
            call.operations.access(
                FuseInode(rawValue: inode), mask: mask, context: call.context, reply: call.reply())
        }
        unsafe table.statfs = { request, inode in
            let call = unsafe FuseCall(request)
            call.operations.statistics(
                of: FuseInode(rawValue: inode), context: call.context, reply: call.reply())
        }
    }

    private static func setNames(_ table: inout fuse_lowlevel_ops) {
        unsafe table.readlink = { request, inode in
            let call = unsafe FuseCall(request)
            call.operations.readLink(FuseInode(rawValue: inode), context: call.context, reply: call.reply())
        }
        unsafe table.mknod = { request, parent, name, mode, rdev in
            let call = unsafe FuseCall(request)
            unsafe call.operations.makeNode(
                bytes(name).span, in: FuseInode(rawValue: parent), mode: mode, rdev: UInt64(rdev),
                context: call.context,
                reply: call.reply())
        }
        unsafe table.mkdir = { request, parent, name, mode in
            let call = unsafe FuseCall(request)
            unsafe call.operations.makeDirectory(
                bytes(name).span, in: FuseInode(rawValue: parent), mode: mode, context: call.context,
                reply: call.reply())
        }
        unsafe table.symlink = { request, target, parent, name in
            let call = unsafe FuseCall(request)
            unsafe call.operations.makeSymlink(
                bytes(name).span, in: FuseInode(rawValue: parent), target: bytes(target).span,
                context: call.context, reply: call.reply())
        }
        unsafe table.link = { request, inode, parent, name in
            let call = unsafe FuseCall(request)
            unsafe call.operations.link(
                FuseInode(rawValue: inode), as: bytes(name).span, in: FuseInode(rawValue: parent),
                context: call.context, reply: call.reply())
        }
        unsafe table.unlink = { request, parent, name in
            let call = unsafe FuseCall(request)
            unsafe call.operations.unlink(
                bytes(name).span, in: FuseInode(rawValue: parent), context: call.context, reply: call.reply())
        }
        unsafe table.rmdir = { request, parent, name in
            let call = unsafe FuseCall(request)
            unsafe call.operations.removeDirectory(
                bytes(name).span, in: FuseInode(rawValue: parent), context: call.context, reply: call.reply())
        }
        unsafe table.rename = { request, parent, name, newParent, newName, flags in
            let call = unsafe FuseCall(request)
            unsafe call.operations.rename(
                bytes(name).span, in: FuseInode(rawValue: parent), to: bytes(newName).span,
                in: FuseInode(rawValue: newParent), flags: FuseRenameFlags(rawValue: flags),
                context: call.context, reply: call.reply())
        }
    }

    private static func setExtendedAttributes(_ table: inout fuse_lowlevel_ops) {
        unsafe table.setxattr = { request, inode, name, value, size, flags in
            let call = unsafe FuseCall(request)
            unsafe call.operations.setExtendedAttribute(
                bytes(name).span, of: FuseInode(rawValue: inode), value: bytes(value, size).span, flags: flags,
                context: call.context, reply: call.reply())
        }
        unsafe table.getxattr = { request, inode, name, size in
            let call = unsafe FuseCall(request)
            unsafe call.operations.getExtendedAttribute(
                bytes(name).span, of: FuseInode(rawValue: inode), context: call.context,
                reply: FuseReplyExtendedAttribute(call.request(), capacity: size))
        }
        unsafe table.listxattr = { request, inode, size in
            let call = unsafe FuseCall(request)
            call.operations.listExtendedAttributes(
                of: FuseInode(rawValue: inode), context: call.context,
                reply: FuseReplyExtendedAttribute(call.request(), capacity: size))
        }
        unsafe table.removexattr = { request, inode, name in
            let call = unsafe FuseCall(request)
            unsafe call.operations.removeExtendedAttribute(
                bytes(name).span, of: FuseInode(rawValue: inode), context: call.context, reply: call.reply())
        }
    }
}
