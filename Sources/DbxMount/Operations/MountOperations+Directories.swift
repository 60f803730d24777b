import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import FuseLowLevel

extension MountOperations {
    /// Items asked of the store at a time.
    private static let page = 128

    func openDirectory(_ inode: FuseInode, flags: Int32, context: FuseContext, reply: consuming FuseReplyOpen) {
        count(.opendir)
        // Listings go by the directory's number: a handle would hold nothing.
        reply.succeed(FuseOpened(handle: FuseHandle(rawValue: 0), flags: [.keepCache, .cacheDirectory]))
    }

    func readDirectory(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, context: FuseContext,
        reply: consuming FuseReplyDirectory
    ) {
        count(.readdir)
        let number = inode.number
        guard fileSystem.knowsNext(in: number, after: offset) else {
            return wait(reply, for: [.entries(of: number)]) { [self] () throws(Errno) in
                try fileSystem.requireNext(in: number, after: offset)
            } answer: { [self] reply, _ in
                list(number, after: offset, reply)
            }
        }
        list(number, after: offset, reply)
    }

    private func list(_ number: InodeNumber, after offset: Int64, _ reply: consuming FuseReplyDirectory) {
        do throws(Errno) {
            try eachItem(of: number, after: offset, withAttributes: false) { item in
                reply.add(item.name.span, inode: FuseInode(item.number), type: item.kind.fileType, next: item.next)
            }
            reply.succeed()
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func readDirectoryPlus(
        _ inode: FuseInode, handle: FuseHandle, offset: Int64, context: FuseContext,
        reply: consuming FuseReplyDirectoryPlus
    ) {
        count(.readdirplus)
        let number = inode.number
        guard fileSystem.knowsNext(in: number, after: offset) else {
            return wait(reply, for: [.entries(of: number)]) { [self] () throws(Errno) in
                try fileSystem.requireNext(in: number, after: offset)
            } answer: { [self] reply, _ in
                listPlus(number, after: offset, reply)
            }
        }
        listPlus(number, after: offset, reply)
    }

    private func listPlus(_ number: InodeNumber, after offset: Int64, _ reply: consuming FuseReplyDirectoryPlus) {
        do throws(Errno) {
            try eachItem(of: number, after: offset, withAttributes: true) { item in
                guard let attributes = item.attributes else {
                    return reply.addPlain(
                        item.name.span, inode: FuseInode(item.number), type: item.kind.fileType, next: item.next)
                }
                guard reply.add(item.name.span, FuseEntry(attributes), next: item.next) else { return false }
                fileSystem.remember(item.number)
                return true
            }
            reply.succeed()
        } catch {
            reply.fail(error.rawValue)
        }
    }

    /// Calls `body` with one item after the other until it is full or the listing ends.
    private func eachItem(
        of directory: InodeNumber, after offset: Int64, withAttributes: Bool, _ body: (DirectoryItem) -> Bool
    ) throws(Errno) {
        var offset = offset
        while fileSystem.knowsNext(in: directory, after: offset) {
            let items = try fileSystem.list(
                directory, after: offset, limit: Self.page, withAttributes: withAttributes)
            for item in items {
                guard body(item) else { return }
                offset = item.next
            }
            if items.count < Self.page { return }
        }
    }

    func releaseDirectory(
        _ inode: FuseInode, handle: FuseHandle, context: FuseContext, reply: consuming FuseReplyNone
    ) {
        count(.releasedir)
        reply.succeed()
    }

    func synchronizeDirectory(
        _ inode: FuseInode, handle: FuseHandle, dataOnly: Bool, context: FuseContext, reply: consuming FuseReplyNone
    ) {
        count(.fsyncdir)
        let box = FuseReplyBox(reply)
        fileSystem.synchronize(inode.number) { result in box.finish(result) }
    }
}
