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
    }

    func destroy() { ended() }

    func count(_ kind: RequestKind) { fileSystem.counters.count(kind) }

    // MARK: Looking up and attributes

    func lookup(_ name: Span<UInt8>, in parent: FuseInode, context: FuseContext, reply: consuming FuseReplyEntry) {
        do throws(Errno) {
            if let staged = stage.request(by: context), let past = try lookUp(name, in: parent.number, for: staged) {
                return reply.succeed(past)
            }
            count(.lookup)
            reply.succeed(try lookUp(name, in: parent.number))
        } catch {
            reply.fail(error.rawValue)
        }
    }

    private func lookUp(_ name: Span<UInt8>, in parent: InodeNumber) throws(Errno) -> FuseEntry {
        // Only those who kept a file handle over a restart ask for these.
        if name.isDot { return FuseEntry(try fileSystem.lookup(parent)) }
        if name.isDotDot { return FuseEntry(try fileSystem.lookupParent(of: parent)) }
        guard let found = try fileSystem.lookup(try Name(decoding: name), in: parent) else {
            return .negative(timeoutSeconds: KernelCache.seconds)
        }
        return FuseEntry(found)
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
            let attributes = try fileSystem.setAttributes(of: inode.number, to: AttributeChange(change))
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
