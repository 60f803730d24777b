import CurlHTTP
package import DbxClientAPI
import DbxContent
package import DbxLocalStore
package import DbxModel
package import DbxSystem

/// Brings blocks into the cache on threads of its own, each with its own connection, so that nothing else that the
/// client does can starve a read. Every block is verified before it is entered; a damaged one is asked for again.
///
/// Sendable: guarded by one monitor, held for moves in the queue only. Completions run on the fetching threads, or on
/// the caller's or canceller's, with no lock held.
package final class BlockFetcher: BlockFetching {
    typealias Completion = @Sendable (Result<Void, FetchFailure>) -> Void

    /// One request under way, for one part or many whole blocks.
    private final class Request: Sendable {
        let cancel = CancelToken()
        let parts: [BlockPart]
        let isBackground: Bool

        init(_ parts: [BlockPart], isBackground: Bool) {
            self.parts = parts
            self.isBackground = isBackground
        }
    }

    private struct State: Sendable {
        var queue: FetchQueue<BlockPart, Completion>
        /// By what they still have to bring.
        var running: [BlockPart: Request] = [:]
        /// Requests under way for which nobody waits.
        var backgroundRequests = 0
        var budget = RetryBudget()
        var lastToken: UInt64 = 0
        var isStopped = false
    }

    private enum Turn {
        case fetch(Request)
        case lookAgain(after: Duration)
        case stop
    }

    private let state: Monitor<State>
    private let download: BlockDownload
    private let time: any TimeSource
    private let entropy: any Entropy
    private let isServerAway: @Sendable () -> Bool
    private let threads = Monitor<[WorkerThread]>([])
    /// The other threads stay free for what somebody waits for.
    private let backgroundThreads: Int

    /// How long one block is tried.
    private static let patience: Duration = .seconds(60)

    /// - Parameter isServerAway: asked before and after each try; while true, requests fail at once.
    package init(
        api: any DbxAPI, namespace: NamespaceID, shared: SharedStore, keys: KeyringBox, meter: TransferMeter,
        time: any TimeSource, entropy: any Entropy, threads count: Int = 6,
        isServerAway: @escaping @Sendable () -> Bool
    ) throws(Errno) {
        state = Monitor(State(queue: FetchQueue(patience: Self.patience)))
        download = BlockDownload(api: api, namespace: namespace, shared: shared, keys: keys, meter: meter)
        self.time = time
        self.entropy = entropy
        self.isServerAway = isServerAway
        backgroundThreads = max(1, count / 3)
        for index in 0..<count {
            let thread = try WorkerThread(name: "dbxfs-fetch-\(index)") { [self] in run() }
            threads.withLock { $0.append(thread) }
        }
    }

    /// Fails everything that waits, ends what runs, and waits for the threads.
    package func shutdown() {
        state.update { $0.isStopped = true }
        cancelAll(.cancelled)
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    // MARK: BlockFetching

    @discardableResult
    package func fetch(
        _ part: BlockPart, priority: FetchPriority,
        completion: @escaping @Sendable (Result<Void, FetchFailure>) -> Void
    ) -> FetchToken {
        let isAway = isServerAway()
        let (part, bytes) = download.way(to: part)
        let (token, isStopped) = state.update { state -> (FetchToken, Bool) in
            state.lastToken += 1
            let token = FetchToken(state.lastToken)
            if !isAway, !state.isStopped {
                state.queue.add(
                    part, waiter: completion, id: token.value, priority: priority, bytes: bytes, now: time.monotonic())
            }
            return (token, state.isStopped)
        }
        if isStopped {
            completion(.failure(.cancelled))
        } else if isAway {
            completion(download.isCached(part) ? .success(()) : .failure(.serverAway))
        }
        return token
    }

    package func cancel(_ token: FetchToken) {
        let (completion, abandoned) = state.update { state -> (Completion?, CancelToken?) in
            guard let cancelled = state.queue.cancel(token.value) else { return (nil, nil) }
            let request = cancelled.abandoned.flatMap { state.running[$0] }
            return (cancelled.waiter, request.flatMap { Self.isAbandoned($0, state) ? $0.cancel : nil })
        }
        abandoned?.cancel()
        completion?(.failure(.cancelled))
    }

    /// Whether nobody waits for anything that the request has still to bring.
    private static func isAbandoned(_ request: Request, _ state: State) -> Bool {
        !request.parts.contains { state.running[$0] === request && state.queue.isAwaited($0) }
    }

    /// The server has been found to be away: whoever waits is told at once.
    package func serverWentAway() { cancelAll(.serverAway) }

    private func cancelAll(_ failure: FetchFailure) {
        let (completions, tokens) = state.update { state -> ([Completion], [CancelToken]) in
            let cancelled = state.queue.cancelAll()
            return (cancelled.waiters, cancelled.abandoned.compactMap { state.running[$0]?.cancel })
        }
        for token in tokens { token.cancel() }
        for completion in completions { completion(.failure(failure)) }
    }

    // MARK: The threads

    private func run() {
        let opener = BlockOpener()
        while case .fetch(let request) = nextTurn() {
            let attempt = BlockDownload.Attempt(
                opener: opener, cancel: request.cancel, isAwaited: !request.isBackground)
            if request.parts.count == 1 {
                let outcome = download.fetch(request.parts[0], attempt)
                settle(request.parts, outcome)
            } else {
                download.fetch(request.parts.map(\.block), attempt) {
                    settle($0.map { BlockPart($0) }, $1)
                }
            }
            if request.isBackground { state.update { $0.backgroundRequests -= 1 } }
        }
    }

    /// Waits for a block to fetch. The wait knows when the first delayed retry is due.
    private func nextTurn() -> Turn {
        var delay: Duration? = .zero
        while true {
            var isFirstLook = true
            let turn = state.wait(timeout: delay) { state -> Turn? in
                if state.isStopped { return .stop }
                let now = time.monotonic()
                defer { isFirstLook = false }
                let lowest: FetchPriority = state.backgroundRequests < backgroundThreads ? .background : .readahead
                switch state.queue.next(now: now, lowest: lowest) {
                case .idle: return nil
                case .wait(let until): return isFirstLook ? nil : .lookAgain(after: until - now)
                case .fetch(let parts): return .fetch(Self.begin(parts, &state))
                }
            }
            guard case .lookAgain(let after) = turn else {
                if let turn { return turn }
                delay = nil
                continue
            }
            delay = after
        }
    }

    private static func begin(_ parts: [BlockPart], _ state: inout State) -> Request {
        let isBackground = state.queue.priority(of: parts[0]) == .background
        let request = Request(parts, isBackground: isBackground)
        for part in parts { state.running[part] = request }
        if isBackground { state.backgroundRequests += 1 }
        return request
    }

    /// The parts belong to their request no more.
    private func settle(_ parts: [BlockPart], _ outcome: BlockDownload.Outcome) {
        let isAway = isServerAway()
        let now = time.monotonic()
        let random = entropy.next()
        let (completions, result) = state.update { state -> ([Completion], Result<Void, FetchFailure>) in
            for part in parts { state.running[part] = nil }
            switch outcome {
            case .stored:
                state.budget.earn()
                return (parts.flatMap { state.queue.finish($0) }, .success(()))
            case .stopped:
                for part in parts { state.queue.stopped(part) }
                return ([], .success(()))
            case .mayWorkAlone:
                for part in parts { state.queue.retryAlone(part) }
                return ([], .success(()))
            case .failed(let failure):
                return (parts.flatMap { state.queue.finish($0) }, .failure(failure))
            case .mayWorkLater(let retryAfter, let failure):
                if isAway { return (parts.flatMap { state.queue.finish($0) }, .failure(.serverAway)) }
                let hasBudget = state.budget.spend()
                let given = parts.filter { part in
                    !state.queue.retryLater(
                        part, retryAfter: retryAfter, hasBudget: hasBudget, random: random, now: now)
                }
                return (given.flatMap { state.queue.finish($0) }, .failure(failure))
            }
        }
        for completion in completions { completion(result) }
    }
}
