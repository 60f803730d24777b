internal import Synchronization

/// Holds a reply for whoever completes it first: the thread that has the result, a deadline, or an interruption.
///
/// `~Copyable` replies do not go into escaping closures, so asynchronous completions share this. Lock: its own, held
/// for moves only.
package final class FuseReplyBox<Reply: FuseAnswer & ~Copyable>: Sendable {
    private let reply: Mutex<Reply?>

    package init(_ reply: consuming Reply) {
        reply.willWait()
        self.reply = Mutex(reply)
    }

    /// The reply, for exactly one caller.
    package func take() -> Reply? {
        reply.withLock { reply in reply.take() }
    }

    /// Answers with an errno value unless it has been answered. Says whether it did.
    @discardableResult
    package func fail(_ code: Int32) -> Bool {
        guard let reply = take() else { return false }
        reply.fail(code)
        return true
    }

    /// `handler` runs at most once, on a thread of the session or on this one, when the caller of the request has been
    /// signalled; it usually ends the request with EINTR and gives up the work. It may find the reply answered.
    package func onInterrupt(_ handler: @escaping @Sendable () -> Void) {
        let due = reply.withLock { reply in reply?.observe(handler) }
        due?.interruption.fire()
    }
}
