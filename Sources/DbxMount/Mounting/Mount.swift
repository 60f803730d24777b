package import DbxFileSystem
import DbxLocalStore
import DbxModel
package import FuseLowLevel

/// A file system on a directory, from `init` until somebody unmounts it or `stop`.
///
/// Sendable; FUSE's threads belong to the session, which guards itself.
package final class Mount: Sendable {
    private let fileSystem: FileSystem
    private let session: FuseSession
    private let notices: KernelNotices

    /// Mounts on a directory, which nobody checks here, and begins to serve. `ended` is called once when the mount is gone, whoever took it away, on a thread of
    /// the session: it only notes it.
    package init(
        _ fileSystem: FileSystem, at mountPoint: String, allowOther: Bool = false, stage: EventStage = EventStage(),
        ended: @escaping @Sendable () -> Void = {}
    ) throws(FuseMountError) {
        var options = FuseMountOptions()
        options.allowOther = allowOther
        self.fileSystem = fileSystem
        let operations = MountOperations(fileSystem, stage: stage) {
            fileSystem.setNotifier(nil)
            ended()
        }
        // Before the first request: a change that is applied meanwhile must not be missed.
        let notices = KernelNotices()
        fileSystem.setNotifier(notices)
        do {
            session = try FuseSession.mount(operations, at: mountPoint, options: options)
        } catch {
            fileSystem.setNotifier(nil)
            throw error
        }
        self.notices = notices
        notices.begin(session.notifier)
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
