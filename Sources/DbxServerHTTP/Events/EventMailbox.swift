import DbxModel
import DbxWire
import NIOCore
import Synchronization

/// What one listener has not been told yet: per namespace only the newest seq, so it never grows beyond the
/// namespaces that the listener may read, however slow the listener is.
///
/// Posted to from any thread; read by one task.
final class EventMailbox: Sendable {
    enum Wake: Sendable {
        /// In order of the namespaces' ids.
        case notices([ChangeNotice])
        /// Nothing happened in the time given.
        case quiet
        /// The server stops, or the listener's device may listen no more.
        case ended
    }

    private struct State {
        var pending: [NamespaceID: Seq] = [:]
        var waiter: CheckedContinuation<Void, Never>?
        /// Counts waits, so that the timer of an earlier one wakes nobody.
        var wait: UInt64 = 0
        var ended = false
    }

    private let state = Mutex(State())

    func post(_ notice: ChangeNotice) {
        wakeUp { $0.pending[notice.namespace] = max(notice.seq, $0.pending[notice.namespace] ?? .zero) }
    }

    func end() { wakeUp { $0.ended = true } }

    var isEnded: Bool { state.withLock(\.ended) }

    /// Waits until there is something to tell, `limit` has passed, or it is over.
    func next(within limit: Duration, on eventLoop: any EventLoop) async -> Wake {
        if let wake = take() { return wake }
        let wait = state.withLock { state in
            state.wait += 1
            return state.wait
        }
        let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) { [self] in
            timeOut(wait)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    if state.wait != wait || state.ended || !state.pending.isEmpty { return true }
                    state.waiter = continuation
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            end()
        }
        timer.cancel()
        return take() ?? .quiet
    }

    private func take() -> Wake? {
        state.withLock { state in
            if state.ended { return .ended }
            if state.pending.isEmpty { return nil }
            let notices = state.pending.sorted { $0.key < $1.key }.map {
                ChangeNotice(namespace: $0.key, seq: $0.value)
            }
            state.pending.removeAll(keepingCapacity: true)
            return .notices(notices)
        }
    }

    /// Ends one wait; also one that has not put its continuation down yet.
    private func timeOut(_ wait: UInt64) {
        wakeUp { state in
            guard state.wait == wait else { return }
            state.wait += 1
        }
    }

    private func wakeUp(_ change: (inout sending State) -> Void) {
        let waiter = state.withLock { state in
            change(&state)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
