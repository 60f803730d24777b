import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import FuseLowLevel

/// The kernel's requests as calls of the file system: decodes, calls, replies. No logic of its own.
///
/// Called on the session's threads. What the file system can answer at once is answered there; the rest goes on with a
/// boxed reply.
final class MountOperations: FuseOperations {
    let fileSystem: FileSystem
    let stage: EventStage
    private let ended: @Sendable () -> Void

    init(_ fileSystem: FileSystem, stage: EventStage, ended: @escaping @Sendable () -> Void) {
        self.fileSystem = fileSystem
        self.stage = stage
        self.ended = ended
    }

    func initialize(_ connection: inout FuseConnectionInfo) {
        connection.maximumWriteBytes = 1 << 20
        // The kernel waits for asynchronous direct reads in a way that no signal ends (fuse_direct_IO).
        connection.wanted.remove(.asynchronousDirectIO)
        if connection.offered.contains(.clearsPrivileges) { connection.wanted.insert(.clearsPrivileges) }
    }

    func destroy() { ended() }

    func count(_ kind: RequestKind) { fileSystem.counters.count(kind) }

    // MARK: Looking up and attributes

    func lookup(_ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyEntry) {
        let waiting: Name
        do throws(Errno) {
            if let staged = stage.request(by: context), let past = try lookUp(name, in: parent.number, for: staged) {
                return reply.succeed(past)
            }
            count(.lookup)
            return reply.succeed(try lookUp(name, in: parent.number))
        } catch {
            guard error == .wouldBlock, let name = try? Name(decoding: name) else { return reply.fail(error.rawValue) }
            waiting = name
        }
        let number = parent.number
        wait(reply, for: [.name(waiting, in: number)]) { [self] () throws(Errno) in
            try find(waiting, in: number)
        } answer: {
            $0.succeed($1)
        }
    }

    private func lookUp(_ name: Span<UInt8>, in parent: InodeNumber) throws(Errno) -> FuseEntry {
        // Only those who kept a file handle over a restart ask for these.
        if name.isDot { return FuseEntry(try fileSystem.lookup(parent)) }
        if name.isDotDot { return FuseEntry(try fileSystem.lookupParent(of: parent)) }
        return try find(try Name(decoding: name), in: parent)
    }

    private func find(_ name: Name, in parent: InodeNumber) throws(Errno) -> FuseEntry {
        guard let found = try fileSystem.lookup(name, in: parent) else {
            return .negative(timeoutSeconds: KernelCache.seconds)
        }
        return FuseEntry(found)
    }

    /// Goes on with an operation that needs more of a directory than is known here, when that has come.
    func wait<Reply: FuseAnswer & ~Copyable, Value>(
        _ reply: consuming Reply, for needs: [ListingNeed],
        _ operation: @escaping @Sendable () throws(Errno) -> Value,
        answer: @escaping @Sendable (consuming Reply, Value) -> Void
    ) {
        let box = FuseReplyBox(reply)
        let waiting = fileSystem.whenListed(needs) { () throws(Errno) in
            let value = try operation()
            if let reply = box.take() { answer(reply, value) }
        } failed: { error in
            box.fail(error.rawValue)
        }
        box.onInterrupt { waiting.cancel() }
    }

    func forget(_ inode: FuseInode, lookups: UInt64) {
        count(.forget)
        fileSystem.forget(inode.number, count: lookups)
    }

    func getAttributes(
        of inode: FuseInode, handle: FuseHandle?, context: FuseContext, reply: consuming FuseReplyAttributes
    ) {
        count(.getattr)
        do throws(Errno) {
            reply.succeed(
                FuseAttributes(try fileSystem.attributes(of: inode.number)), timeoutSeconds: KernelCache.seconds)
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func setAttributes(
        of inode: FuseInode, to change: FuseAttributeChange, context: FuseContext,
        reply: consuming FuseReplyAttributes
    ) {
        do throws(Errno) {
            if let staged = stage.request(by: context) {
                return reply.succeed(
                    try self.attributes(of: inode, for: staged), timeoutSeconds: KernelCache.seconds)
            }
            count(.setattr)
            let attributes = try fileSystem.setAttributes(
                of: inode.number, to: AttributeChange(change, clearsSetID: context.clearsSetID))
            reply.succeed(FuseAttributes(attributes), timeoutSeconds: KernelCache.seconds)
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func readLink(_ inode: FuseInode, context: FuseContext, reply: consuming FuseReplyLink) {
        count(.readlink)
        do throws(Errno) {
            reply.succeed(try fileSystem.readLink(inode.number))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    func statistics(of inode: FuseInode, context: FuseContext, reply: consuming FuseReplyStatistics) {
        count(.statfs)
        do throws(Errno) {
            reply.succeed(FuseStatistics(try fileSystem.statistics()))
        } catch {
            reply.fail(error.rawValue)
        }
    }
}
