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

    private struct State: Sendable {
        var queue: FetchQueue<BlockNumber, Completion>
        var running: [BlockNumber: CancelToken] = [:]
        var budget = RetryBudget()
        var lastToken: UInt64 = 0
        var isStopped = false
    }

    private enum Turn {
        case fetch(BlockNumber, CancelToken)
        case lookAgain(after: Duration)
        case stop
    }

    private let state: Monitor<State>
    private let download: BlockDownload
    private let time: any TimeSource
    private let entropy: any Entropy
    private let isServerAway: @Sendable () -> Bool
    private let threads = Monitor<[WorkerThread]>([])

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
        _ block: BlockNumber, priority: FetchPriority,
        completion: @escaping @Sendable (Result<Void, FetchFailure>) -> Void
    ) -> FetchToken {
        let isAway = isServerAway()
        let (token, isStopped) = state.update { state -> (FetchToken, Bool) in
            state.lastToken += 1
            let token = FetchToken(state.lastToken)
            if !isAway, !state.isStopped {
                state.queue.add(
                    block, waiter: completion, id: token.value, isDemanded: priority == .demand, now: time.monotonic())
            }
            return (token, state.isStopped)
        }
        if isStopped {
            completion(.failure(.cancelled))
        } else if isAway {
            completion(download.isCached(block) ? .success(()) : .failure(.serverAway))
        }
        return token
    }

    package func cancel(_ token: FetchToken) {
        let (completion, abandoned) = state.update { state -> (Completion?, CancelToken?) in
            guard let cancelled = state.queue.cancel(token.value) else { return (nil, nil) }
            return (cancelled.waiter, cancelled.abandoned.flatMap { state.running[$0] })
        }
        abandoned?.cancel()
        completion?(.failure(.cancelled))
    }

    /// The server has been found to be away: whoever waits is told at once.
    package func serverWentAway() { cancelAll(.serverAway) }

    private func cancelAll(_ failure: FetchFailure) {
        let (completions, tokens) = state.update { state -> ([Completion], [CancelToken]) in
            let cancelled = state.queue.cancelAll()
            return (cancelled.waiters, cancelled.abandoned.compactMap { state.running[$0] })
        }
        for token in tokens { token.cancel() }
        for completion in completions { completion(.failure(failure)) }
    }

    // MARK: The threads

    private func run() {
        let opener = BlockOpener()
        while case .fetch(let block, let cancel) = nextTurn() {
            let outcome = download.fetch(block, opener: opener, cancel: cancel)
            settle(block, outcome)
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
                switch state.queue.next(now: now) {
                case .idle: return nil
                case .wait(let until): return isFirstLook ? nil : .lookAgain(after: until - now)
                case .fetch(let block):
                    let cancel = CancelToken()
                    state.running[block] = cancel
                    return .fetch(block, cancel)
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

    private func settle(_ block: BlockNumber, _ outcome: BlockDownload.Outcome) {
        let isAway = isServerAway()
        let now = time.monotonic()
        let random = entropy.next()
        let (completions, result) = state.update { state -> ([Completion], Result<Void, FetchFailure>) in
            state.running[block] = nil
            switch outcome {
            case .stored:
                state.budget.earn()
                return (state.queue.finish(block), .success(()))
            case .stopped:
                state.queue.stopped(block)
                return ([], .success(()))
            case .failed(let failure):
                return (state.queue.finish(block), .failure(failure))
            case .mayWorkLater(let retryAfter, let failure):
                if isAway { return (state.queue.finish(block), .failure(.serverAway)) }
                let willRetry = state.queue.retryLater(
                    block, retryAfter: retryAfter, hasBudget: state.budget.spend(), random: random, now: now)
                return willRetry ? ([], .success(())) : (state.queue.finish(block), .failure(failure))
            }
        }
        for completion in completions { completion(result) }
    }
}
