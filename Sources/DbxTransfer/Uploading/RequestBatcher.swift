import CurlHTTP
import DbxClientAPI
import DbxSystem

/// Makes one request of what threads ask for at the same time, so that a thousand small files do not cost a thousand round
/// trips. Nothing waits for company: while a request is under way others gather.
///
/// Sendable: guarded by its monitor, which is not held during the request. The thread that asks first leads; where it is
/// cancelled meanwhile the others ask again.
final class RequestBatcher<Item: Sendable, Answer: Sendable>: Sendable {
    private struct State: Sendable {
        var nextTicket: UInt64 = 0
        var waiting: [(ticket: UInt64, item: Item)] = []
        var answers: [UInt64: Result<Answer, APIError>] = [:]
        var leaders = 0
    }

    private enum Turn {
        case answered(Result<Answer, APIError>)
        case lead([(ticket: UInt64, item: Item)])
    }

    private let state = Monitor(State())
    /// Requests at a time.
    private let lanes: Int
    /// How many of those that wait fit one request, at least one.
    private let fitting: @Sendable ([Item]) -> Int
    /// One result for each item, in order.
    private let ask: @Sendable ([Item], CancelToken?) -> [Result<Answer, APIError>]

    init(
        lanes: Int = 1, fitting: @escaping @Sendable ([Item]) -> Int,
        ask: @escaping @Sendable ([Item], CancelToken?) -> [Result<Answer, APIError>]
    ) {
        self.lanes = lanes
        self.fitting = fitting
        self.ask = ask
    }

    /// How many are in no request yet.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Blocks until the server has answered.
    func answer(to item: Item, cancel: CancelToken?) throws(APIError) -> Answer {
        let ticket = state.withLock { state -> UInt64 in
            state.nextTicket += 1
            state.waiting.append((state.nextTicket, item))
            return state.nextTicket
        }
        while true {
            let turn = state.wait { state -> Turn? in
                if let answer = state.answers.removeValue(forKey: ticket) { return .answered(answer) }
                if cancel?.isCancelled == true {
                    guard let index = state.waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
                    state.waiting.remove(at: index)
                    return .answered(.failure(APIError(.transport(.cancelled))))
                }
                guard state.leaders < lanes, !state.waiting.isEmpty else { return nil }
                state.leaders += 1
                let batch = Array(state.waiting.prefix(fitting(state.waiting.map(\.item))))
                state.waiting.removeFirst(batch.count)
                return .lead(batch)
            }
            switch turn {
            case .answered(let answer): return try answer.get()
            case .lead(let batch): lead(batch, for: ticket, cancel: cancel)
            case nil: continue
            }
        }
    }

    private func lead(_ batch: [(ticket: UInt64, item: Item)], for own: UInt64, cancel: CancelToken?) {
        let results = ask(batch.map(\.item), cancel)
        let isCancelled = cancel?.isCancelled == true
        state.update { state in
            var unanswered: [(ticket: UInt64, item: Item)] = []
            for (item, result) in zip(batch, results) {
                if isCancelled, item.ticket != own, case .failure(let error) = result, error.meaning == .cancelled {
                    unanswered.append(item)
                } else {
                    state.answers[item.ticket] = result
                }
            }
            state.waiting = unanswered + state.waiting
            state.leaders -= 1
        }
    }
}
