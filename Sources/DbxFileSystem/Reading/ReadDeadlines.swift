import DbxModel
import DbxSystem

/// Something that waits for the network, with an end.
protocol Expiring: AnyObject, Sendable {
    /// The deadline has passed.
    func expire()
}

/// Ends reads and listings that have waited too long for the network: whatever it does, a call has an answer within its
/// limit.
///
/// All have the same limit, so they stand in the order of their deadlines. One thread; guarded by its own monitor,
/// without which reads are ended.
final class ReadDeadlines: Sendable {
    private struct Entry: Sendable {
        var deadline: Duration
        weak var operation: (any Expiring)?
    }

    private struct State: Sendable {
        var entries: [Entry] = []
        var isStopped = false
        var thread: WorkerThread?
    }

    private let state = Monitor(State())
    private let time: any TimeSource

    init(time: any TimeSource) throws(Errno) {
        self.time = time
        let thread = try WorkerThread(name: "dbxfs-deadlines") { [self] in
            while let due = next() { for operation in due { operation.expire() } }
        }
        state.withLock { $0.thread = thread }
    }

    /// `operation` waits from now on; the queue does not keep it alive.
    func watch(_ operation: any Expiring, until deadline: Duration) {
        let isFirst = state.withLock { state in
            state.entries.append(Entry(deadline: deadline, operation: operation))
            return state.entries.count == 1
        }
        if isFirst { state.update { _ in } }
    }

    func stop() {
        let thread = state.update { state in
            state.isStopped = true
            state.entries = []
            return state.thread.take()
        }
        thread?.join()
    }

    /// Those whose time has come; nil at the end.
    private func next() -> [any Expiring]? {
        while true {
            let first: Duration?? = state.wait { state in
                if state.isStopped { return .some(nil) }
                return state.entries.first.map { .some($0.deadline) }
            }
            guard let deadline = first ?? nil else { return nil }
            let wait = max(deadline - time.monotonic(), .zero)
            if state.wait(timeout: wait, until: { $0.isStopped ? true : nil }) != nil { return nil }
            let due = takeDue()
            if !due.isEmpty { return due }
        }
    }

    private func takeDue() -> [any Expiring] {
        let now = time.monotonic()
        return state.withLock { state in
            let count = state.entries.firstIndex { $0.deadline > now } ?? state.entries.count
            defer { state.entries.removeFirst(count) }
            return state.entries[..<count].compactMap(\.operation)
        }
    }
}
