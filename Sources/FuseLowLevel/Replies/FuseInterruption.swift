internal import Synchronization

/// What to do when the caller of a waiting request goes away.
///
/// libfuse calls back with the request's lock held, where answering would deadlock. So the callback only notes the
/// interruption with the worker thread, which runs the handler after libfuse has let go.
final class FuseInterruption: Sendable {
    private let handler: @Sendable () -> Void
    private let hasFired = Atomic(false)

    init(_ handler: @escaping @Sendable () -> Void) { self.handler = handler }

    /// Called by libfuse, under its lock.
    func note() { FuseThreadState.current.interruptions.append(self) }

    /// Runs the handler, once.
    func fire() {
        if !hasFired.exchange(true, ordering: .acquiringAndReleasing) { handler() }
    }
}
