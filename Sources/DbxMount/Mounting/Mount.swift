package import DbxFileSystem
import DbxLocalStore
import DbxModel
package import FuseLowLevel
import Synchronization

/// A file system on a directory, from `init` until somebody unmounts it or `stop`.
///
/// Sendable; FUSE's threads belong to the session, which guards itself.
package final class Mount: Sendable {
    package let mountPoint: MountPoint
    private let fileSystem: FileSystem
    private let session: FuseSession
    private let notices: KernelNotices

    /// Mounts and begins to serve. `ended` is called once when the mount is gone, whoever took it away, on a thread of
    /// the session: it only notes it.
    package init(
        _ fileSystem: FileSystem, at mountPoint: MountPoint, allowOther: Bool = false,
        ended: @escaping @Sendable () -> Void = {}
    ) throws(FuseMountError) {
        var options = FuseMountOptions()
        options.allowOther = allowOther
        self.mountPoint = mountPoint
        self.fileSystem = fileSystem
        let operations = MountOperations(fileSystem) {
            fileSystem.setNotifier(nil)
            ended()
        }
        session = try FuseSession.mount(operations, at: mountPoint.path, options: options)
        notices = KernelNotices(session.notifier)
        fileSystem.setNotifier(notices)
    }

    /// Unmounts as umount(8) does: fails as busy while files are open there, unless `lazily`.
    package func unmount(lazily: Bool = false) throws(FuseMountError) { try session.unmount(lazily: lazily) }

    /// Ends serving now, whatever is open there.
    package func stop() { session.stop() }

    /// Waits until the mount is gone; says whether it is.
    @discardableResult
    package func waitUntilEnded(seconds: Double? = nil) -> Bool { session.waitUntilEnded(seconds: seconds) }

    /// Waits until the kernel has had every notice so far; not from an operation.
    @discardableResult
    package func waitUntilNotified(seconds: Double? = nil) -> Bool {
        session.notifier.waitUntilSent(seconds: seconds)
    }

    /// Notices to the kernel so far, by kind.
    package var invalidations: [String: Int64] { notices.counts }
}

/// Invalidations by way of libfuse's notifier, counted. Guarded by a mutex held for counting only.
final class KernelNotices: KernelNotifier {
    private struct Counts {
        var entries: Int64 = 0
        var contents: Int64 = 0
        var attributes: Int64 = 0
    }

    private let notifier: FuseNotifier
    private let count = Mutex(Counts())

    init(_ notifier: FuseNotifier) { self.notifier = notifier }

    var counts: [String: Int64] {
        let counts = count.withLock { $0 }
        return ["entry": counts.entries, "content": counts.contents, "attributes": counts.attributes]
    }

    func invalidateEntry(_ name: Name, in directory: InodeNumber) {
        count.withLock { $0.entries += 1 }
        post(.entry(FuseInode(directory), name: name.bytes))
    }

    func invalidateContent(of number: InodeNumber) {
        count.withLock { $0.contents += 1 }
        post(.inode(FuseInode(number), offset: 0, length: 0))
    }

    func invalidateAttributes(of number: InodeNumber) {
        count.withLock { $0.attributes += 1 }
        post(.inode(FuseInode(number), offset: -1, length: 0))
    }

    private func post(_ notice: FuseNotice) {
        while !notifier.post(notice) { notifier.waitForRoom() }
    }
}
