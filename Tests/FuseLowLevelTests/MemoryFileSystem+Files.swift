import FuseLowLevel
import Glibc
import Synchronization

extension MemoryFileSystem {
    func create(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyCreate
    ) {
        let name = [UInt8](copying: name)
        let node = Node(mode: S_IFREG | mode & 0o7777, uid: context.uid)
        guard let inode = perform("create", { $0.add(name, in: parent.rawValue, node) }) else {
            return reply.fail(EEXIST)
        }
        reply.succeed(entry(inode, node), FuseOpened(handle: FuseHandle(rawValue: inode), flags: .keepCache))
    }

    func open(_ inode: FuseInode, flags: Int32, context: FuseContext, reply: consuming FuseReplyOpen) {
        let isDirect = perform("open") { state in
            if flags & O_TRUNC != 0 { state.nodes[inode.rawValue]?.data = [] }
            return state.nodes[1]?.children[Array("wait directly".utf8)] == inode.rawValue
        }
        reply.succeed(
            FuseOpened(
                handle: FuseHandle(rawValue: inode.rawValue), flags: isDirect ? .directIO : [.keepCache, .noFlush]))
    }

    func read(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, count: Int, context: FuseContext,
        reply: consuming FuseReplyData
    ) {
        let (name, data) = perform("read") { state in
            (
                state.nodes[1]?.children.first { $0.value == inode.rawValue }.map {
                    String(decoding: $0.key, as: UTF8.self)
                },
                state.nodes[inode.rawValue]?.data ?? []
            )
        }
        switch name {
        case "drop": return
        case "hold":
            let held = HeldReply(reply)
            state.withLock { $0.held.append(held) }
        case "later":
            let box = FuseReplyBox(reply)
            onNewThread { if let reply = box.take() { reply.succeed(data) } }
        case let name? where name.hasPrefix("wait"):
            let box = FuseReplyBox(reply)
            box.onInterrupt { box.fail(EINTR) }
            state.withLock { $0.waiting.append(box) }
        default:
            reply.succeed(capacity: count) { buffer in
                let part = data.dropFirst(Int(offset)).prefix(count)
                buffer.copyBytes(from: part)
                return .bytes(part.count)
            }
        }
    }

    func write(
        _ bytes: RawSpan, to inode: FuseInode, handle: FuseHandle, offset: Int64, flags: FuseWriteFlags,
        context: FuseContext, reply: consuming FuseReplyWrite
    ) {
        let written = bytes.withUnsafeBytes { Array($0) }
        perform("write") { state in
            state.clearsSetID.append(context.clearsSetID)
            var data = state.nodes[inode.rawValue]?.data ?? []
            let end = Int(offset) + written.count
            if data.count < end { data += [UInt8](repeating: 0, count: end - data.count) }
            data.replaceSubrange(Int(offset)..<end, with: written)
            state.nodes[inode.rawValue]?.data = data
        }
        reply.succeed(count: written.count)
    }

    func setExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, value: Span<UInt8>, flags: Int32, context: FuseContext,
        reply: consuming FuseReplyNone
    ) {
        let (name, value) = ([UInt8](copying: name), [UInt8](copying: value))
        perform("setxattr") { $0.nodes[inode.rawValue]?.attributes[name] = value }
        reply.succeed()
    }

    func getExtendedAttribute(
        _ name: Span<UInt8>, of inode: FuseInode, context: FuseContext,
        reply: consuming FuseReplyExtendedAttribute
    ) {
        let name = [UInt8](copying: name)
        guard let value = perform("getxattr", { $0.nodes[inode.rawValue]?.attributes[name] }) else {
            return reply.fail(ENODATA)
        }
        reply.succeed(value)
    }

    func listExtendedAttributes(
        of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyExtendedAttribute
    ) {
        let names = perform("listxattr") {
            Array(($0.nodes[inode.rawValue]?.attributes ?? [:]).keys.joined(separator: [0]))
        }
        reply.succeed(names.isEmpty ? [] : names + [0])
    }
}
