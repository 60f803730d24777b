import DbxServerCore
import DbxSystem
import DbxWire

/// Applies commits on one thread, all that are waiting in one durable transaction: many writers share one wait for the
/// disk, and no two transactions compete for the database's only write lock.
final class CommitQueue: Sendable {
    private typealias Answer = CheckedContinuation<CommitResult, any Error>

    private struct Waiting: Sendable {
        let commit: SubmittedCommit
        let answer: Answer
    }

    private struct State {
        var waiting: [Waiting] = []
        var stopped = false
    }

    /// A batch is bounded so that its first commit does not wait for a crowd.
    private static let batchCommits = 64
    private static let waitingCommits = 1_024

    private let state = Monitor(State())
    private let thread: WorkerThread

    init(server: Server) throws {
        thread = try WorkerThread(name: "commits") { [state] in Self.run(state, server) }
    }

    /// Ends when the commit is durable or refused. Not cancelled with its task: once in the queue it is applied.
    func submit(_ commit: SubmittedCommit) async throws -> CommitResult {
        try await withCheckedThrowingContinuation { answer in
            let accepted = state.update { state in
                guard !state.stopped, state.waiting.count < Self.waitingCommits else { return false }
                state.waiting.append(Waiting(commit: commit, answer: answer))
                return true
            }
            if !accepted {
                answer.resume(
                    throwing: Problem(
                        kind: .unavailable, detail: "The server is busy; send the same commit again soon."))
            }
        }
    }

    private static func run(_ state: Monitor<State>, _ server: Server) {
        while let batch = nextBatch(state) {
            for (waiting, result) in zip(batch, server.commit(batch.map(\.commit))) {
                waiting.answer.resume(with: result.mapError { $0 as any Error })
            }
        }
    }

    /// Waits for work; nil when the queue is stopped and empty.
    private static func nextBatch(_ state: Monitor<State>) -> [Waiting]? {
        state.wait { state -> [Waiting]?? in
            if state.waiting.isEmpty { return state.stopped ? .some(nil) : nil }
            let batch = Array(state.waiting.prefix(batchCommits))
            state.waiting.removeFirst(batch.count)
            return batch
        } ?? nil
    }

    /// Applies what is waiting, takes nothing more, and ends the thread. Blocks.
    func stop() {
        state.update { $0.stopped = true }
        thread.join()
    }
}
