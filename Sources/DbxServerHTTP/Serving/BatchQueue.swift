import DbxSystem
import DbxWire

/// Does work of one kind on one thread, all that is waiting in one durable transaction: many writers share one wait for
/// the disk, and hardly any two transactions compete for the database's only write lock.
///
/// Sendable: guarded by its monitor, which is not held during the work.
final class BatchQueue<Item: Sendable, Answer: Sendable>: Sendable {
    private struct Waiting: Sendable {
        let item: Item
        let answer: CheckedContinuation<Answer, any Error>
    }

    private struct State {
        var waiting: [Waiting] = []
        var stopped = false
    }

    /// A batch is bounded so that its first item does not wait for a crowd.
    private static var batchItems: Int { 64 }
    private static var waitingItems: Int { 1_024 }

    private let state = Monitor(State())
    private let thread: WorkerThread

    /// `work` answers each item, in order, once all that it did is durable.
    init(name: String, work: @escaping @Sendable ([Item]) -> [Result<Answer, Problem>]) throws {
        thread = try WorkerThread(name: name) { [state] in Self.run(state, work) }
    }

    /// Ends when the item's work is durable or refused. Not cancelled with its task: once in the queue it is done.
    func submit(_ item: Item) async throws -> Answer {
        try await withCheckedThrowingContinuation { answer in
            let accepted = state.update { state in
                guard !state.stopped, state.waiting.count < Self.waitingItems else { return false }
                state.waiting.append(Waiting(item: item, answer: answer))
                return true
            }
            if !accepted {
                answer.resume(
                    throwing: Problem(
                        kind: .unavailable, detail: "The server is busy; send the same request again soon."))
            }
        }
    }

    private static func run(
        _ state: Monitor<State>, _ work: ([Item]) -> [Result<Answer, Problem>]
    ) {
        while let batch = nextBatch(state) {
            for (waiting, result) in zip(batch, work(batch.map(\.item))) {
                waiting.answer.resume(with: result.mapError { $0 as any Error })
            }
        }
    }

    /// Waits for work; nil when the queue is stopped and empty.
    private static func nextBatch(_ state: Monitor<State>) -> [Waiting]? {
        state.wait { state -> [Waiting]?? in
            if state.waiting.isEmpty { return state.stopped ? .some(nil) : nil }
            let batch = Array(state.waiting.prefix(batchItems))
            state.waiting.removeFirst(batch.count)
            return batch
        } ?? nil
    }

    /// Does what is waiting, takes nothing more, and ends the thread. Blocks.
    func stop() {
        state.update { $0.stopped = true }
        thread.join()
    }
}
