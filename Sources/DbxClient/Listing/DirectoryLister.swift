import CurlHTTP
import DbxClientAPI
package import DbxLocalStore
import DbxModel
import DbxSync
package import DbxSystem
import Synchronization

/// Brings listings of directories that programs wait for, on threads of its own, and merges requests for one directory,
/// the crawler's among them.
///
/// Sendable: guarded by one monitor, held for moves only. Completions run on the listing threads, or on the caller's or
/// canceller's, with no lock held.
package final class DirectoryLister: DirectoryListing {
    typealias Completion = @Sendable (Result<Void, FetchFailure>) -> Void

    private struct State: Sendable {
        /// In the order in which they were asked for; each once.
        var queue: [InodeNumber] = []
        var waiters: [InodeNumber: [(token: FetchToken, completion: Completion)]] = [:]
        var running: [InodeNumber: CancelToken] = [:]
        /// Directories that somebody has asked for while they were being listed.
        var askedAgain: Set<InodeNumber> = []
        var lastToken: UInt64 = 0
        var isStopped = false
    }

    private let pages: ListingPages
    private let isServerAway: @Sendable () -> Bool
    private let state = Monitor(State())
    private let threads = Monitor<[WorkerThread]>([])
    /// Where pages are waited for while others are applied.
    private let ahead: ThreadPool

    private static let threadCount = 2
    /// How long a try that may succeed later is put off; whoever waits has a limit of its own.
    private static let pause: Duration = .milliseconds(300)
    /// So often a page of a whole directory may be put off, each time for longer: some twenty seconds in all.
    private static let tries = 10

    /// - Parameter isServerAway: asked before and after each try; while true, requests fail at once.
    package init(_ pages: ListingPages, isServerAway: @escaping @Sendable () -> Bool) throws(Errno) {
        self.pages = pages
        self.isServerAway = isServerAway
        ahead = try ThreadPool(name: "dbxfs-ahead", threads: Self.threadCount)
        for index in 0..<Self.threadCount {
            let thread = try WorkerThread(name: "dbxfs-list-\(index)") { [self] in run() }
            threads.withLock { $0.append(thread) }
        }
    }

    /// Fails everything that waits, ends what runs, and waits for the threads.
    package func shutdown() {
        state.update { $0.isStopped = true }
        failAll(.cancelled)
        for thread in threads.withLock({ $0 }) { thread.join() }
        ahead.shutdown()
        pages.detach()
    }

    /// The server has been found to be away: whoever waits is told at once.
    package func serverWentAway() { failAll(.serverAway) }

    // MARK: DirectoryListing

    @discardableResult
    package func list(
        _ directory: InodeNumber, completion: @escaping @Sendable (Result<Void, FetchFailure>) -> Void
    ) -> FetchToken {
        let isAway = isServerAway()
        let (token, failure) = state.update { state -> (FetchToken, FetchFailure?) in
            state.lastToken += 1
            let token = FetchToken(state.lastToken)
            if state.isStopped { return (token, .cancelled) }
            if isAway { return (token, .serverAway) }
            let isNew = state.waiters[directory] == nil
            state.waiters[directory, default: []].append((token, completion))
            if state.running[directory] != nil {
                state.askedAgain.insert(directory)
            } else if isNew {
                state.queue.append(directory)
            }
            return (token, nil)
        }
        if let failure { completion(.failure(failure)) }
        return token
    }

    package func cancel(_ token: FetchToken) {
        let found = state.update { state -> Completion? in
            for (directory, waiters) in state.waiters {
                guard let index = waiters.firstIndex(where: { $0.token == token }) else { continue }
                state.waiters[directory]?.remove(at: index)
                if waiters.count == 1 {
                    state.waiters[directory] = nil
                    state.queue.removeAll { $0 == directory }
                }
                return waiters[index].completion
            }
            return nil
        }
        found?(.failure(.cancelled))
    }

    // MARK: For the crawler

    /// Whether somebody waits for a listing.
    var isWanted: Bool { state.withLock { !$0.waiters.isEmpty } }

    /// How many entries have been listed since the start.
    var listedCount: Int { pages.listed.load(ordering: .relaxed) }

    /// Lists a page on the calling thread, unless somebody else is at it, and those behind it while programs read the
    /// directory; whoever waits for it is told.
    func listNow(_ directory: InodeNumber) -> PageResult {
        let token = state.update { state -> CancelToken? in
            guard !state.isStopped, state.running[directory] == nil else { return nil }
            return Self.begin(directory, &state)
        }
        guard let token else { return .later }
        let result = pages.bring(directory, cancel: token, run: further(directory))
        finish(directory, result)
        return result
    }

    /// Lists all of a directory, on the calling thread as far as nobody else is at it. Nil when all is known, or why not:
    /// `timedOut` where a page has been put off again and again, by the server or for a pull that does not come.
    func listAll(of directory: InodeNumber) -> FetchFailure? {
        var tries = 0
        while true {
            guard pages.isUnlisted(directory) else { return nil }
            if isServerAway() { return .serverAway }
            switch listNow(directory) {
            case .success: tries = 0
            case .failure(.missing): return nil
            case .failure(let failure): return failure
            case .later:
                let isAtIt = state.withLock { $0.running[directory] != nil }
                if !isAtIt { tries += 1 }
                guard tries <= Self.tries else { return .timedOut }
                let pause = Self.pause * max(1, tries)
                if state.wait(timeout: pause, until: { $0.isStopped ? true : nil }) != nil { return .cancelled }
            }
        }
    }

    // MARK: The threads

    private func run() {
        while case .list(let directory, let token) = nextTurn() {
            finish(directory, pages.bring(directory, cancel: token, run: further(directory)))
        }
    }

    private func further(_ directory: InodeNumber) -> ListingPages.Run {
        ListingPages.Run(
            goesOn: { [self] in isWantedFurther(directory) }, progress: { [self] in tell(directory) }, threads: ahead)
    }

    /// Whether somebody reads the directory, and nobody waits for another one.
    private func isWantedFurther(_ directory: InodeNumber) -> Bool {
        state.withLock { state in
            let isAsked = state.askedAgain.remove(directory) != nil || state.waiters[directory] != nil
            return isAsked && state.queue.isEmpty && !state.isStopped
        }
    }

    /// Whoever waits for the directory looks whether it is enough now.
    private func tell(_ directory: InodeNumber) {
        let completions = state.update { $0.waiters.removeValue(forKey: directory)?.map(\.completion) ?? [] }
        for completion in completions { completion(.success(())) }
    }

    private enum Turn {
        case list(InodeNumber, CancelToken)
        case stop
    }

    private func nextTurn() -> Turn {
        let turn = state.wait { state -> Turn? in
            if state.isStopped { return .stop }
            guard let directory = state.queue.first else { return nil }
            return .list(directory, Self.begin(directory, &state))
        }
        return turn ?? .stop
    }

    private static func begin(_ directory: InodeNumber, _ state: inout State) -> CancelToken {
        let token = CancelToken()
        state.queue.removeAll { $0 == directory }
        state.askedAgain.remove(directory)
        state.running[directory] = token
        return token
    }

    private func finish(_ directory: InodeNumber, _ result: PageResult) {
        var outcome: Result<Void, FetchFailure>
        switch result {
        case .success: outcome = .success(())
        case .failure(let failure): outcome = .failure(failure)
        case .later:
            guard !isServerAway() else {
                outcome = .failure(.serverAway)
                break
            }
            _ = state.wait(timeout: Self.pause) { $0.isStopped ? true : nil }
            return tryAgain(directory)
        }
        let completions = state.update { state -> [Completion] in
            state.running[directory] = nil
            return state.waiters.removeValue(forKey: directory)?.map(\.completion) ?? []
        }
        for completion in completions { completion(outcome) }
    }

    private func tryAgain(_ directory: InodeNumber) {
        state.update { state in
            state.running[directory] = nil
            if state.waiters[directory] != nil { state.queue.append(directory) }
        }
    }

    private func failAll(_ failure: FetchFailure) {
        let (completions, tokens) = state.update { state -> ([Completion], [CancelToken]) in
            defer {
                state.waiters = [:]
                state.queue = []
            }
            return (state.waiters.values.flatMap { $0.map(\.completion) }, Array(state.running.values))
        }
        for token in tokens { token.cancel() }
        for completion in completions { completion(.failure(failure)) }
    }
}
