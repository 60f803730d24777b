import CDbxShims
import Glibc

/// A named thread of ours, on which blocking is allowed. All signals but those of faults are blocked on it, so that
/// they reach the main thread.
///
/// Whoever starts it joins it, once; a thread that was never joined is detached when the object goes.
package final class WorkerThread: Sendable {
    private let handle: Monitor<pthread_t?>
    package let name: String

    /// - Parameters:
    ///   - name: the kernel shows its first 15 bytes.
    ///   - stackBytes: for a body that calls itself very deep; what is not touched costs nothing. Else the system's.
    package init(
        name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void
    ) throws(Errno) {
        self.name = name
        let start = unsafe Unmanaged.passRetained(ThreadStart(name: name, body: body))
        var thread = pthread_t()
        // pthread_create takes over the +1 reference; `runThread` releases it.
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        if let stackBytes { unsafe pthread_attr_setstacksize(&attributes, stackBytes) }
        let code = unsafe pthread_create(&thread, &attributes, runThread, start.toOpaque())
        guard code == 0 else {
            unsafe start.release()
            throw Errno(rawValue: code)
        }
        handle = Monitor(thread)
    }

    deinit {
        if let thread = handle.withLock({ $0.take() }) { pthread_detach(thread) }
    }

    /// Waits for the end of the thread. A second call returns at once.
    package func join() {
        if let thread = handle.withLock({ $0.take() }) { _ = pthread_join(thread, nil) }
    }
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    var signals = sigset_t()
    unsafe sigfillset(&signals)
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT] { unsafe sigdelset(&signals, fault) }
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    _ = unsafe dbxfs_set_thread_name(start.name)
    start.body()
    return nil
}
