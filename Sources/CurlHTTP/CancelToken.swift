internal import Synchronization

/// Ends requests from another thread, at once and for good. One token may stand for many requests.
///
/// Sendable: the lock guards everything and is held while wakers run, so a waker never runs after it was removed.
package final class CancelToken: Sendable {
    private struct State: Sendable {
        var isCancelled = false
        var nextWaker = 0
        var wakers: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Idempotent.
    package func cancel() {
        state.withLock { state in
            guard !state.isCancelled else { return }
            state.isCancelled = true
            for wake in state.wakers.values { wake() }
            state.wakers = [:]
        }
    }

    /// Runs `body`; meanwhile `cancel` also calls `wake`, which must not wait nor use the token.
    package func wakingOnCancel<Result, Failure: Error>(
        _ wake: @escaping @Sendable () -> Void, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let key = state.withLock { state -> Int in
            state.nextWaker += 1
            if state.isCancelled { wake() } else { state.wakers[state.nextWaker] = wake }
            return state.nextWaker
        }
        defer { state.withLock { _ = $0.wakers.removeValue(forKey: key) } }
        return try body()
    }
}
