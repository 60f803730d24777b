import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import FuseLowLevel

extension MountOperations {
    func makeNode(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, rdev: UInt64, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) {
        do throws(Errno) {
            if let staged = stage.request(by: context) { return reply.succeed(try make(name, in: parent, for: staged)) }
            count(.mknod)
            guard let kind = NodeKind(fileType: mode), kind != .directory, kind != .symlink else {
                throw .invalidArgument
            }
            let blueprint = NodeBlueprint(kind: kind, permissions: mode.permissions, rdev: rdev)
            reply.succeed(try make(blueprint, name, parent, context))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func makeDirectory(
        _ name: Span<UInt8>, in parent: FuseInode, mode: UInt32, context: FuseContext, reply: consuming FuseReplyEntry
    ) {
        do throws(Errno) {
            if let staged = stage.request(by: context) { return reply.succeed(try make(name, in: parent, for: staged)) }
            count(.mkdir)
            let blueprint = NodeBlueprint(kind: .directory, permissions: mode.permissions)
            reply.succeed(try make(blueprint, name, parent, context))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func makeSymlink(
        _ name: Span<UInt8>, in parent: FuseInode, target: Span<UInt8>, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) {
        do throws(Errno) {
            if let staged = stage.request(by: context) { return reply.succeed(try make(name, in: parent, for: staged)) }
            count(.symlink)
            reply.succeed(try make(.symlink(to: [UInt8](copying: target)), name, parent, context))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    private func make(
        _ blueprint: NodeBlueprint, _ name: Span<UInt8>, _ parent: FuseInode, _ context: FuseContext
    ) throws(Errno) -> FuseEntry {
        FuseEntry(
            try fileSystem.make(
                blueprint, named: try Name(decoding: name), in: parent.number, by: Caller(context)))
    }

    func link(
        _ inode: FuseInode, as name: Span<UInt8>, in parent: FuseInode, context: FuseContext,
        reply: consuming FuseReplyEntry
    ) {
        count(.link)
        do throws(Errno) {
            let name = try Name(decoding: name)
            reply.succeed(FuseEntry(try fileSystem.link(inode.number, as: name, in: parent.number)))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func unlink(_ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyNone) {
        do throws(Errno) {
            if let staged = stage.request(by: context) {
                try remove(name, in: parent, for: staged)
                return reply.succeed()
            }
            count(.unlink)
            try fileSystem.unlink(try Name(decoding: name), in: parent.number)
            reply.succeed()
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func removeDirectory(
        _ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyNone
    ) {
        let waiting: Name
        do throws(Errno) {
            if let staged = stage.request(by: context) {
                try remove(name, in: parent, for: staged)
                return reply.succeed()
            }
            count(.rmdir)
            try fileSystem.removeDirectory(try Name(decoding: name), in: parent.number)
            return reply.succeed()
        } catch {
            guard error == .wouldBlock, let name = try? Name(decoding: name) else { return reply.fail(error.rawValue) }
            waiting = name
        }
        let number = parent.number
        wait(reply, for: [.name(waiting, in: number), .emptiness(of: waiting, in: number)]) {
            [self] () throws(Errno) in
            try fileSystem.removeDirectory(waiting, in: number)
        } answer: { reply, _ in
            reply.succeed()
        }
    }

    func rename(
        _ name: Span<UInt8>, in parent: FuseInode, to newName: Span<UInt8>, in newParent: FuseInode,
        flags: FuseRenameFlags, context: FuseContext, reply: consuming FuseReplyNone
    ) {
        let rename: Rename
        do throws(Errno) {
            if let staged = stage.request(by: context) {
                try self.rename(name, in: parent, to: newName, in: newParent, for: staged)
                return reply.succeed()
            }
            count(.rename)
            rename = Rename(
                try Name(decoding: name), in: parent.number, to: try Name(decoding: newName), in: newParent.number,
                mode: try RenameMode(flags))
        } catch {
            return reply.fail(error.rawValue)
        }
        do throws(Errno) {
            if try fileSystem.renameAtOnce(rename) { return reply.succeed() }
        } catch {
            guard error == .wouldBlock else { return reply.fail(error.rawValue) }
            return wait(reply, for: rename.needs) { [self] () throws(Errno) in
                try fileSystem.renameAtOnce(rename)
            } answer: { [self] reply, isDone in
                if isDone { reply.succeed() } else { flushAndRename(rename, reply) }
            }
        }
        flushAndRename(rename, reply)
    }

    private func flushAndRename(_ rename: Rename, _ reply: consuming FuseReplyNone) {
        let box = FuseReplyBox(reply)
        fileSystem.renameAfterFlush(rename) { result in box.finish(result) }
    }
}

extension Rename {
    fileprivate var needs: [ListingNeed] {
        [.name(name, in: parent), .name(newName, in: newParent), .emptiness(of: newName, in: newParent)]
    }
}

extension RenameMode {
    init(_ flags: FuseRenameFlags) throws(Errno) {
        switch flags {
        case []: self = .replace
        case .noReplace: self = .noReplace
        case .exchange: self = .exchange
        default: throw .invalidArgument
        }
    }
}
