import DbxSystem
import Glibc

/// SIGTERM, SIGINT and SIGHUP as calls on a thread, where everything is allowed that a signal handler may not do.
///
/// `block` is called on the main thread before any other thread exists; threads of `WorkerThread` block all signals, so
/// that they wait for this one. SIGPIPE is ignored: a peer that has gone is an error of the write.
enum SignalThread {
    private static let signals = [SIGTERM, SIGINT, SIGHUP]

    static func block() {
        signal(SIGPIPE, SIG_IGN)
        var set = Self.set
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Lives as long as the process.
    static func start(_ received: @escaping @Sendable (Int32) -> Void) throws(Errno) {
        _ = try WorkerThread(name: "dbxfs-signals") {
            var set = Self.set
            var number: Int32 = 0
            while unsafe sigwait(&set, &number) == 0 { received(number) }
        }
    }

    private static var set: sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }
}
