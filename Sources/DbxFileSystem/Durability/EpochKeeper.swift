import DbxLocalStore
import DbxSystem
import Synchronization

/// Makes what has been written durable, on a thread of its own: on request, and at least every interval while something
/// is not (docs/DURABILITY.md). Requests that come while an epoch is under way share the next one.
///
/// Guarded by its own monitor, which is never held during I/O or together with another lock.
final class EpochKeeper: Sendable {
    typealias Completion = @Sendable (Result<Void, Errno>) -> Void

    private struct State: Sendable {
        /// To be told when the next epoch is done.
        var waiting: [Completion] = []
        /// To be told when the one under way is done.
        var joined: [Completion] = []
        var isRequested = false
        var isRunning = false
        /// Something has changed since the last epoch began.
        var isDirty = true
        var isStopped = false
        /// The disk has failed to keep what it was given; from then on nothing can be promised.
        var broken: Errno?
        var thread: WorkerThread?
    }

    /// Above this the log is folded back even while somebody waits.
    private static let largestLogBytes: Int64 = 64 << 20
    /// What is to be done before an epoch begins, on this object's thread.
    let beforeEpoch = Mutex<(@Sendable () -> Void)?>(nil)
    private let state = Monitor(State())
    private let shared: SharedStore
    private let nodes: NodeTable
    private let directory: String

    init(shared: SharedStore, nodes: NodeTable, interval: Duration) throws(Errno) {
        self.shared = shared
        self.nodes = nodes
        directory = shared.withStore { $0.configuration.directory }
        let thread = try WorkerThread(name: "dbxfs-epochs") { [self] in
            while waitForWork(interval) { runIfNeeded() }
        }
        state.withLock { $0.thread = thread }
    }

    /// Something was changed and recorded.
    func noteChange() { state.withLock { $0.isDirty = true } }

    /// Calls `completion` once all that has been done so far is on the disk: at once where that is so already.
    func request(_ completion: Completion?) {
        let answer: Result<Void, Errno>? = state.update { state in
            if let broken = state.broken { return .failure(broken) }
            if state.isStopped { return .failure(.ioError) }
            if !state.isDirty, !state.isRunning, completion != nil { return .success(()) }
            if !state.isDirty, state.isRunning {
                if let completion { state.joined.append(completion) }
            } else {
                if let completion { state.waiting.append(completion) }
                state.isRequested = true
            }
            return nil
        }
        if let answer { completion?(answer) }
    }

    /// The same, waiting for it. Not from a thread that serves requests.
    func synchronize() throws(Errno) {
        let outcome = Monitor<Result<Void, Errno>?>(nil)
        request { result in outcome.update { $0 = result } }
        guard let result = outcome.wait(until: { $0 }) else { throw .ioError }
        try result.get()
    }

    /// A last epoch, then the end of the thread.
    func stop() {
        let isSynchronized = (try? synchronize()) != nil
        let thread = state.update { state in
            state.isStopped = true
            return state.thread.take()
        }
        thread?.join()
        if isSynchronized { try? LocalStore.checkpoint(directory: directory) }
    }

    // MARK: The thread

    private func waitForWork(_ interval: Duration) -> Bool {
        let isStopped: Bool? = state.wait(timeout: interval) { state in
            if state.isStopped { return true }
            return state.isRequested ? false : nil
        }
        return isStopped != true
    }

    private func runIfNeeded() {
        beforeEpoch.withLock({ $0 })?()
        storeAccessTimes()
        let isRequested = state.withLock { $0.isRequested }
        guard isRequested || shared.withStore({ $0.hasUnsyncedChanges }) else { return }
        state.withLock { state in
            state.joined = state.waiting
            state.waiting = []
            state.isRequested = false
            state.isRunning = true
            state.isDirty = false
        }
        let result = Result { () throws(Errno) in try runEpoch() }
        let told = state.withLock { state in
            state.isRunning = false
            if case .failure(let error) = result {
                state.isDirty = true
                if error == .ioError { state.broken = error }
            }
            defer { state.joined = [] }
            return state.joined
        }
        for completion in told { completion(result) }
        // What no epoch covers must not come into the database file: it could not be taken back.
        if case .success = result { foldLog(isIdle: !isRequested) }
    }

    private func runEpoch() throws(Errno) {
        let unsynced = nodes.takeUnsynced()
        do {
            let ticket = try shared.withStore { store throws(StoreError) in try store.beginEpoch() }
            do {
                try ticket.sync(shared.segments)
            } catch {
                shared.withStore { $0.failEpoch(ticket) }
                throw error
            }
            shared.withStore { $0.finishEpoch(ticket) }
        } catch {
            nodes.giveBackUnsynced(unsynced)
            throw Errno(error)
        }
    }

    /// Access times are kept in memory until here; losing them in a crash harms nobody.
    private func storeAccessTimes() {
        let times = nodes.accessTimes
        guard !times.isEmpty else { return }
        for batch in Array(times).chunks(of: 64) {
            try? shared.withStore { store in
                try store.transaction {
                    for (number, time) in batch where try store.node(number) != nil {
                        try store.setAccessTime(number, time)
                    }
                }
            }
        }
        nodes.dropAccessTimes(times)
    }

    /// Moves the log into the database file when nobody waits, or when it has grown large.
    private func foldLog(isIdle: Bool) {
        let bytes = (try? OpenFile(path: directory + "/state.db-wal", .readOnly).size()) ?? 0
        guard bytes > Self.largestLogBytes || isIdle && bytes > 0 else { return }
        try? LocalStore.checkpoint(directory: directory)
        if bytes > Self.largestLogBytes { shared.withStore { $0.restartLog() } }
    }
}

extension Array {
    fileprivate func chunks(of count: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: self.count, by: count).map { self[$0..<Swift.min($0 + count, self.count)] }
    }
}
