import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import FuseLowLevel

extension MountOperations {
    func create(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyCreate
    ) {
        count(.create)
        do throws(Errno) {
            let (attributes, opened) = try fileSystem.create(
                try Name(decoding: name), in: parent.number, permissions: mode.permissions,
                options: OpenOptions(flags: flags), by: Caller(context))
            reply.succeed(FuseEntry(attributes), FuseOpened(opened))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func createTemporary(
        in parent: FuseInode, mode: UInt32, flags: Int32, context: FuseContext, reply: consuming FuseReplyCreate
    ) {
        count(.create)
        do throws(Errno) {
            let (attributes, opened) = try fileSystem.createTemporary(
                in: parent.number, permissions: mode.permissions, options: OpenOptions(flags: flags),
                by: Caller(context))
            reply.succeed(FuseEntry(attributes), FuseOpened(opened))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func open(_ inode: FuseInode, flags: Int32, context: FuseContext, reply: consuming FuseReplyOpen) {
        if stage.request(by: context) != nil {
            return reply.succeed(FuseOpened(handle: .helper, flags: [.keepCache, .noFlush]))
        }
        count(.open)
        do throws(Errno) {
            let opened = try fileSystem.open(
                inode.number, options: OpenOptions(flags: flags), by: Caller(context))
            reply.succeed(FuseOpened(opened))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func read(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, count size: Int, context: FuseContext,
        reply: consuming FuseReplyData
    ) {
        count(.read)
        let file = FileHandle(rawValue: handle.rawValue)
        var pending: FuseReplyData? = reply
        unsafe ThreadBuffer.withBytes(size) { buffer in
            do throws(Errno) {
                guard let count = unsafe try fileSystem.readAtOnce(file, at: offset, into: buffer) else { return }
                // Safe: the bytes are lent, and passed on before the call returns.
                unsafe pending.take()?.succeed(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            } catch {
                pending.take()?.fail(error.rawValue)
            }
        }
        guard let reply = pending.take() else { return }
        let box = FuseReplyBox(reply)
        let cancellation = fileSystem.read(
            file, at: offset, count: size, by: context.pid, receiver: ReplyReceiver(box))
        box.onInterrupt { cancellation.cancel() }
    }

    func write(
        _ bytes: RawSpan, to inode: FuseInode, handle: FuseHandle, offset: Int64, flags: FuseWriteFlags,
        context: FuseContext, reply: consuming FuseReplyWrite
    ) {
        count(.write)
        do throws(Errno) {
            let count = try fileSystem.writeAtOnce(
                bytes, to: inode.number, at: offset, clearsSetID: context.clearsSetID)
            if let count {
                return answer(reply, count: count, flags)
            }
        } catch {
            return reply.fail(error.rawValue)
        }
        let box = FuseReplyBox(reply)
        let wait = fileSystem.writeWhenRoom(
            [UInt8](copying: bytes), to: inode.number, at: offset
        ) { result in
            switch result {
            case .success(let count): box.take()?.succeed(count: count)
            case .failure(let error): box.fail(error.rawValue)
            }
        }
        box.onInterrupt { wait.cancel() }
    }

    /// Who is ahead of uploads gets the answer later; the kernel itself, writing what was stored through a mapping, never.
    private func answer(_ reply: consuming FuseReplyWrite, count: Int, _ flags: FuseWriteFlags) {
        guard fileSystem.isAheadOfUploads, !flags.contains(.fromPageCache) else { return reply.succeed(count: count) }
        let box = FuseReplyBox(reply)
        let wait = fileSystem.whenUploadsFollow { box.take()?.succeed(count: count) }
        box.onInterrupt { wait.cancel() }
    }

    func flush(_ inode: FuseInode, handle: FuseHandle, context: FuseContext, reply: consuming FuseReplyNone) {
        count(.flush)
        // Each write has been recorded already, so a close needs no visit: the kernel asks once and never again.
        reply.fail(Errno.notImplemented.rawValue)
    }

    func release(
        _ inode: FuseInode, handle: FuseHandle, flags: Int32, context: FuseContext, reply: consuming FuseReplyNone
    ) {
        if handle == .helper { return reply.succeed() }
        count(.release)
        fileSystem.release(FileHandle(rawValue: handle.rawValue))
        reply.succeed()
    }

    func synchronize(
        _ inode: FuseInode, handle: FuseHandle, dataOnly: Bool, context: FuseContext, reply: consuming FuseReplyNone
    ) {
        count(.fsync)
        let box = FuseReplyBox(reply)
        fileSystem.synchronize(inode.number) { result in box.finish(result) }
    }

    func allocate(
        _ inode: FuseInode, handle: FuseHandle, mode: Int32, offset: Int64, length: Int64, context: FuseContext,
        reply: consuming FuseReplyNone
    ) {
        count(.fallocate)
        do throws(Errno) {
            let change = try RangeChange(mode: mode)
            let (end, isTooFar) = offset.addingReportingOverflow(length)
            guard offset >= 0, length > 0 else { throw .invalidArgument }
            guard !isTooFar else { throw .fileTooLarge }
            try fileSystem.change(inode.number, offset..<end, change, clearsSetID: context.mayNotKeepSetID)
            reply.succeed()
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func copyRange(
        from source: FuseCopyEnd, to target: FuseCopyEnd, count size: Int, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyWrite
    ) {
        count(.copyFileRange)
        do throws(Errno) {
            guard flags == 0 else { throw .invalidArgument }
            let copied = try fileSystem.copyRange(
                from: source.inode.number, at: source.offset, to: target.inode.number, at: target.offset, count: size,
                clearsSetID: context.mayNotKeepSetID)
            reply.succeed(count: copied)
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func seek(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, whence: Int32, context: FuseContext,
        reply: consuming FuseReplySeek
    ) {
        count(.lseek)
        do throws(Errno) {
            let target = try SeekTarget(whence: whence)
            reply.succeed(offset: try fileSystem.seek(inode.number, from: offset, to: target))
        } catch {
            reply.fail(error.rawValue)
        }
    }
}

extension FuseContext {
    /// For requests with which the kernel does not say so.
    fileprivate var mayNotKeepSetID: Bool { uid != 0 }
}

/// Passes the result of a read that had to wait on to the kernel.
private final class ReplyReceiver: ReadReceiver {
    private let box: FuseReplyBox<FuseReplyData>

    init(_ box: FuseReplyBox<FuseReplyData>) { self.box = box }

    func receive(_ bytes: RawSpan) {
        // Safe: the reply passes the bytes on before it returns.
        unsafe bytes.withUnsafeBytes { buffer in unsafe box.take()?.succeed(buffer) }
    }

    func fail(_ error: Errno) { box.fail(error.rawValue) }
}

extension FuseReplyBox<FuseReplyNone> {
    func finish(_ result: Result<Void, Errno>) {
        switch result {
        case .success: take()?.succeed()
        case .failure(let error): fail(error.rawValue)
        }
    }
}
