internal import CFuse3
internal import Glibc

/// A mounted file system with the threads that serve it.
///
/// Begins with `mount`; ends when it is unmounted by anyone, or with `stop`. Workers take requests from /dev/fuse, each
/// into its own buffer, and run the operations. The last worker to end cleans up. Signals are left to the program.
package final class FuseSession: Sendable {
    package let mountPoint: String
    /// Tells the kernel what changed. Works as long as the mount.
    package let notifier: FuseNotifier
    private let connection: FuseConnection
    private let workers: FuseMonitor<Workers>

    private struct Workers {
        /// How many have yet to end, those included that have yet to begin.
        var running = 0
        /// Those that serve, by number: they enter themselves, and leave before they end.
        var threads: [Int: pthread_t] = [:]
        var hasEnded = false
    }

    private init(_ connection: FuseConnection, mountPoint: String) {
        self.connection = connection
        self.mountPoint = mountPoint
        notifier = FuseNotifier(connection)
        workers = FuseMonitor(Workers())
    }

    /// Mounts `operations` at `mountPoint`, an absolute path to an existing directory, and begins to serve.
    package static func mount(
        _ operations: any FuseOperations, at mountPoint: String, options: FuseMountOptions = FuseMountOptions()
    ) throws(FuseMountError) -> FuseSession {
        guard dbxfs_fuse_install_wake_signal() == 0 else {
            throw FuseMountError(.failed, "cannot install the workers' wake-up signal")
        }
        let connection = try FuseConnection(operations, options: options)
        try connection.mount(at: mountPoint)
        let session = FuseSession(connection, mountPoint: mountPoint)
        let count = max(1, options.threads ?? max(2, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        guard session.startWorkers(count) > 0 else {
            connection.disconnect()
            _ = FuseUnmount.run(mountPoint, lazily: true)
            throw FuseMountError(.failed, "cannot start a thread to serve \(mountPoint)")
        }
        return session
    }

    /// Unmounts as umount(8) does: `busy` while files are open there, unless `lazily`, when the mount vanishes from the
    /// tree at once and is served until its last file is closed. Waits for the workers' end unless `lazily`.
    package func unmount(lazily: Bool = false) throws(FuseMountError) {
        if let error = FuseUnmount.run(mountPoint, lazily: lazily) { throw error }
        // A copy of the mount in another mount namespace, which may live for ever, does not keep us.
        if !lazily && !waitUntilEnded(seconds: 1) { stop() }
    }

    /// Ends serving now: calls under way and open files get ENOTCONN or EIO, and the mount goes away. Never hangs.
    /// From an operation's own thread it only begins the end.
    package func stop() {
        unsafe fuse_session_exit(connection.session)
        let isWorker = workers.withLock { workers in
            workers.threads.values.contains { pthread_equal($0, pthread_self()) != 0 }
        }
        if isWorker { return }
        repeat { wakeWorkers() } while !waitUntilEnded(seconds: 0.005)
    }

    /// Returns when the mount is gone and the operations have been told, at most after `seconds`. Says whether it is so.
    @discardableResult
    package func waitUntilEnded(seconds: Double? = nil) -> Bool {
        workers.wait(seconds: seconds) { $0.hasEnded ? true : nil } ?? false
    }

    /// Starts up to `count` workers and says how many it could.
    private func startWorkers(_ count: Int) -> Int {
        workers.withLock { $0.running = count }
        for number in 0..<count where !FuseThread.start("fuse-\(number)", { self.work(number) }) {
            // The missing ones count as ended, but never as the last: those that run, if any, end the session.
            workers.withLock { $0.running -= count - number }
            return number
        }
        return count
    }

    private func work(_ number: Int) {
        workers.withLock { $0.threads[number] = pthread_self() }
        connection.serve()
        // A worker that ended on its own ends all: the mount is gone or broken.
        unsafe fuse_session_exit(connection.session)
        let isLast = workers.withLock { workers in
            workers.threads[number] = nil
            workers.running -= 1
            return workers.running == 0
        }
        if isLast { end() } else { wakeWorkers() }
    }

    /// A worker between its look at the exit flag and read(2) misses this, so it is to be repeated.
    private func wakeWorkers() {
        workers.withLock { workers in
            for thread in workers.threads.values { dbxfs_fuse_wake(thread) }
        }
    }

    /// Ends the connection and takes the mount away, if the mount point still shows ours: it may be unmounted here and
    /// live on in another mount namespace.
    private func detach() {
        guard let number = connection.number, FuseUnmount.connection(at: mountPoint) == number else {
            if let number = connection.number { _ = FuseUnmount.abort(connection: number) }
            return
        }
        if FuseUnmount.abort(mountPoint) != .unmounted { _ = FuseUnmount.run(mountPoint, lazily: true) }
    }

    private func end() {
        if connection.isMounted { detach() }
        connection.operations.destroy()
        // Where the kernel cannot be told to abort, a notice may wait for a read that the file system still owes; it
        // has been told to end, and the device stays open for its answers a while.
        notifier.stop(seconds: 2)
        connection.disconnect()
        workers.withLock { $0.hasEnded = true }
        workers.wakeAll()
    }
}
