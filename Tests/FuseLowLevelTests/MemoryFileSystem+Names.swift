import FuseLowLevel
import Glibc
import Synchronization

extension MemoryFileSystem {
    func initialize(_ connection: inout FuseConnectionInfo) {
        let offered = connection.offered
        if offered.contains(.clearsPrivileges) { connection.wanted.insert(.clearsPrivileges) }
        state.withLock { $0.offered = offered }
    }

    func destroy() {
        let boxes = state.withLock { state in
            state.isDestroyed = true
            state.held.forEach { $0.drop() }
            return state.waiting
        }
        for box in boxes { box.fail(ENOTCONN) }
    }

    func lookup(_ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyEntry) {
        let name = [UInt8](copying: name)
        let found = perform("lookup") { $0.child(name, of: parent.rawValue) }
        if let (inode, node) = found {
            reply.succeed(entry(inode, node))
        } else {
            reply.succeed(.negative(timeoutSeconds: timeoutSeconds))
        }
    }

    func getAttributes(
        of inode: FuseInode, handle: FuseHandle?, context: FuseContext, reply: consuming FuseReplyAttributes
    ) {
        guard let node = perform("getattr", { $0.nodes[inode.rawValue] }) else { return reply.fail(ESTALE) }
        reply.succeed(attributes(inode.rawValue, node), timeoutSeconds: timeoutSeconds)
    }

    func setAttributes(
        of inode: FuseInode, to change: FuseAttributeChange, context: FuseContext,
        reply: consuming FuseReplyAttributes
    ) {
        let node = perform("setattr") { state -> Node? in
            guard var node = state.nodes[inode.rawValue] else { return nil }
            if let mode = change.mode { node.mode = node.mode & S_IFMT | mode & 0o7777 }
            if let size = change.size {
                let size = Int(size)
                node.data = Array(node.data.prefix(size)) + Array(repeating: 0, count: max(0, size - node.data.count))
            }
            state.nodes[inode.rawValue] = node
            return node
        }
        guard let node else { return reply.fail(ESTALE) }
        reply.succeed(attributes(inode.rawValue, node), timeoutSeconds: timeoutSeconds)
    }

    func makeDirectory(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) {
        let name = [UInt8](copying: name)
        let node = Node(mode: S_IFDIR | mode, uid: context.uid)
        guard let inode = perform("mkdir", { $0.add(name, in: parent.rawValue, node) }) else {
            return reply.fail(EEXIST)
        }
        reply.succeed(entry(inode, node))
    }

    func makeSymlink(
        _ name: Span<UInt8>, in parent: FuseInode, target: Span<UInt8>, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) {
        let name = [UInt8](copying: name)
        let node = Node(mode: S_IFLNK | 0o777, uid: context.uid, data: [UInt8](copying: target))
        guard let inode = perform("symlink", { $0.add(name, in: parent.rawValue, node) }) else {
            return reply.fail(EEXIST)
        }
        reply.succeed(entry(inode, node))
    }

    func readLink(_ inode: FuseInode, context: FuseContext, reply: consuming FuseReplyLink) {
        guard let node = perform("readlink", { $0.nodes[inode.rawValue] }) else { return reply.fail(ESTALE) }
        reply.succeed(node.data)
    }

    func unlink(_ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyNone) {
        let name = [UInt8](copying: name)
        let removed = perform("unlink") { $0.nodes[parent.rawValue]?.children.removeValue(forKey: name) }
        if removed == nil { reply.fail(ENOENT) } else { reply.succeed() }
    }

    func rename(
        _ name: Span<UInt8>, in parent: FuseInode, to newName: Span<UInt8>, in newParent: FuseInode,
        flags: FuseRenameFlags, context: FuseContext, reply: consuming FuseReplyNone
    ) {
        let (name, newName) = ([UInt8](copying: name), [UInt8](copying: newName))
        let code: Int32 = perform("rename") { state in
            guard let moved = state.nodes[parent.rawValue]?.children[name] else { return ENOENT }
            let replaced = state.nodes[newParent.rawValue]?.children[newName]
            if flags.contains(.noReplace) && replaced != nil { return EEXIST }
            state.nodes[parent.rawValue]?.children[name] = flags.contains(.exchange) ? replaced : nil
            state.nodes[newParent.rawValue]?.children[newName] = moved
            return 0
        }
        reply.fail(code)
    }

    func readDirectory(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, context: FuseContext,
        reply: consuming FuseReplyDirectory
    ) {
        let children = perform("readdir") { sortedChildren($0, of: inode) }
        for (index, (name, inode, node)) in children.enumerated().dropFirst(Int(offset)) {
            let fits = reply.add(
                name.span, inode: FuseInode(rawValue: inode), type: node.mode & S_IFMT, next: Int64(index) + 1)
            guard fits else { break }
        }
        reply.succeed()
    }

    func readDirectoryPlus(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, context: FuseContext,
        reply: consuming FuseReplyDirectoryPlus
    ) {
        let children = perform("readdirplus") { sortedChildren($0, of: inode) }
        for (index, (name, inode, node)) in children.enumerated().dropFirst(Int(offset)) {
            guard reply.add(name.span, entry(inode, node), next: Int64(index) + 1) else { break }
        }
        reply.succeed()
    }

    private func sortedChildren(_ state: State, of inode: FuseInode) -> [([UInt8], UInt64, Node)] {
        (state.nodes[inode.rawValue]?.children ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .compactMap { name, inode in state.nodes[inode].map { (name, inode, $0) } }
    }
}
