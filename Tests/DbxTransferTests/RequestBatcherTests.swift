import CurlHTTP
import DbxClientAPI
import DbxSystem
import DbxTestKit
import Glibc
import Synchronization
import Testing

@testable import DbxTransfer

@Suite("Requests that many threads share", .timeLimit(.minutes(1)))
struct RequestBatcherTests {
    /// Answers ten times what it is asked, each request when the test lets it.
    private final class Server: Sendable {
        struct State: Sendable {
            var requests: [(items: [Int], cancel: CancelToken?)] = []
            var answered = 0
            var cancelled: Set<Int> = []
        }

        let state = Monitor(State())

        func answer(_ items: [Int], _ cancel: CancelToken?) -> [Result<Int, APIError>] {
            let request = state.update { state in
                state.requests.append((items, cancel))
                return state.requests.count
            }
            func wait() -> Bool {
                state.wait { state in
                    if state.cancelled.contains(request) { return false }
                    return state.answered >= request ? true : nil
                } ?? false
            }
            let wake: @Sendable () -> Void = { [state] in state.update { _ = $0.cancelled.insert(request) } }
            let isAnswered = cancel?.wakingOnCancel(wake, wait) ?? wait()
            return items.map { isAnswered ? .success($0 * 10) : .failure(APIError(.transport(.cancelled))) }
        }

        /// The last of so many requests, once it is there.
        func request(_ count: Int) -> (items: [Int], cancel: CancelToken?)? {
            state.wait { $0.requests.count == count ? $0.requests.last : nil }
        }
    }

    private typealias Answers = Monitor<[Int: Result<Int, APIError>]>

    private func ask(
        _ item: Int, of batcher: RequestBatcher<Int, Int>, _ cancel: CancelToken, _ answers: Answers
    ) throws -> WorkerThread {
        try WorkerThread(name: "ask-\(item)") {
            let answer = Result { () throws(APIError) in try batcher.answer(to: item, cancel: cancel) }
            answers.update { $0[item] = answer }
        }
    }

    @Test("whoever leads one and is cancelled takes nobody else's answer along", arguments: [1, 2])
    func cancelledLeader(lanes: Int) throws {
        let (server, answers) = (Server(), Answers([:]))
        let batcher = RequestBatcher(lanes: lanes, fitting: \.count, ask: server.answer)
        var tokens: [Int: CancelToken] = [:]
        var threads: [WorkerThread] = []
        for item in 1...lanes + 3 {
            let token = CancelToken()
            tokens[item] = token
            threads.append(try ask(item, of: batcher, token, answers))
            if item <= lanes { _ = server.request(item) }
        }
        while batcher.waitingCount < 3 { sched_yield() }
        server.state.update { $0.answered = 1 }
        let shared = try #require(server.request(lanes + 1))
        #expect(shared.items.count == 3)
        let leader = try #require(tokens.first { $0.value === shared.cancel }?.key)
        shared.cancel?.cancel()
        let repeated = try #require(server.request(lanes + 2))
        #expect(Set(repeated.items) == Set(shared.items).subtracting([leader]))
        server.state.update { $0.answered = lanes + 2 }
        for thread in threads { thread.join() }
        for (item, answer) in answers.withLock({ $0 }) {
            #expect(answer == (item == leader ? .failure(APIError(.transport(.cancelled))) : .success(item * 10)))
        }
        #expect(answers.withLock { $0.count } == lanes + 3 && batcher.waitingCount == 0)
    }
}
