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

    /// So much of `state.log` may be run again under the store's lock: some thousand statements.
    private static let rerunBytes: Int64 = 512 << 10
    /// How many epochs may follow each other to come down to that.
    private static let mostChases = 4
    /// Above this the log is folded back even while somebody waits.
    private let largestLogBytes: Int64
    /// What is to be done before an epoch begins, on this object's thread.
    let beforeEpoch = Listener<Void>()
    private let state = Monitor(State())
    private let shared: SharedStore
    private let nodes: NodeTable
    private let directory: String
    /// For all but one of an epoch's files.
    private let disk: ThreadPool

    init(shared: SharedStore, nodes: NodeTable, limits: FileSystemLimits) throws(Errno) {
        self.shared = shared
        self.nodes = nodes
        directory = shared.withStore { $0.configuration.directory }
        largestLogBytes = limits.largestLogBytes
        shared.withStore { $0.keepRoom() }
        disk = try ThreadPool(name: "dbxfs-disk", threads: 2)
        let thread = try WorkerThread(name: "dbxfs-epochs") { [self] in
            while waitForWork(limits.epochInterval) { runIfNeeded() }
        }
        state.withLock { $0.thread = thread }
    }

    var failure: Errno? { state.withLock { $0.broken } }

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
        disk.shutdown()
        if isSynchronized { try? LocalStore.checkpoint(directory: directory) }
    }

    // MARK: The thread

    /// Whoever has asked before the end gets an answer.
    private func waitForWork(_ interval: Duration) -> Bool {
        let isStopped: Bool? = state.wait(timeout: interval) { state in
            if state.isRequested { return false }
            return state.isStopped ? true : nil
        }
        return isStopped != true
    }

    private func runIfNeeded() {
        beforeEpoch.tell()
        storeAccessTimes()
        while (try? shared.withStore({ store throws(StoreError) in try store.makeWayForDisk() })) == true {}
        let isRequested = state.withLock { $0.isRequested }
        guard isRequested || shared.withStore({ $0.hasUnsyncedChanges }) else { return }
        // What no epoch covers must not come into the database file: it could not be taken back.
        guard run() else { return }
        giveRoomBack()
        foldLog(isIdle: !isRequested)
    }

    /// What nothing is in any more goes back to the disk where that has too little, or where it is much.
    private func giveRoomBack() {
        guard let ranges = try? shared.withStore({ store throws(StoreError) in try store.takeRoomToGiveBack() }),
            !ranges.isEmpty
        else { return }
        // Where that fails the room stays with the file, and is found there when it is asked for.
        for range in ranges { try? shared.segments.giveRoomBack(range) }
        shared.withStore { $0.roomWasGivenBack(ranges) }
    }

    /// One epoch for all who wait for one. Whether it is on the disk.
    private func run() -> Bool {
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
            if case .failure = result { state.isDirty = true }
            defer { state.joined = [] }
            return state.joined
        }
        for completion in told { completion(result) }
        if case .failure = result { return false }
        return true
    }

    private func runEpoch() throws(Errno) {
        let unsynced = nodes.takeUnsynced()
        do {
            while try shared.withStore({ store throws(StoreError) in try store.prepareEpoch() }) {}
            let ticket = try shared.withStore { store throws(StoreError) in try store.beginEpoch() }
            do {
                try sync(ticket)
            } catch {
                shared.withStore { $0.failEpoch(ticket) }
                // What the kernel could not write it may have dropped: a later success would be a lie.
                if error == .ioError { state.withLock { $0.broken = error } }
                throw error
            }
            shared.withStore { $0.finishEpoch(ticket) }
        } catch {
            nodes.giveBackUnsynced(unsynced)
            throw Errno(error)
        }
    }

    /// All files of the epoch at once: a disk takes one flush for all of them where it would take one for each.
    private func sync(_ ticket: EpochTicket) throws(Errno) {
        let parts = try ticket.parts(shared.segments)
        let ended = Monitor<[Errno?]>([])
        for part in parts.dropFirst() {
            let job = { @Sendable in
                let failure = Self.failure(of: part)
                ended.update { $0.append(failure) }
            }
            if !disk.submit(.urgent, job) { job() }
        }
        let first = parts.first.flatMap { Self.failure(of: $0) }
        let others = ended.wait { $0.count == parts.count - 1 ? $0 : nil } ?? []
        let failures = ([first] + others).compactMap(\.self)
        // What the disk failed to keep counts more than that it is full.
        if let failure = failures.first(where: { $0 == .ioError }) ?? failures.first { throw failure }
        try ticket.complete()
    }

    private static func failure(of part: EpochPart) -> Errno? {
        do throws(Errno) {
            try part.sync()
            return nil
        } catch {
            return error
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
        let bytes = shared.withStore { $0.logBytes }
        guard bytes > largestLogBytes || isIdle && bytes > 0 else { return }
        try? LocalStore.checkpoint(directory: directory)
        if bytes > largestLogBytes { restartLog(of: bytes) }
    }

    /// Lets a large log begin anew while programs work. What they did since the last epoch is run again meanwhile, with
    /// everybody waiting: where that is too much, further epochs and checkpoints, which have less and less to do, make it
    /// less. The larger the log has become all the same, the more is run again.
    private func restartLog(of bytes: Int64) {
        let most = Self.rerunBytes * max(1, bytes / largestLogBytes)
        for chase in 0...Self.mostChases {
            if shared.withStore({ $0.restartLog(rerunning: most) }) { return }
            guard chase < Self.mostChases, run() else { return }
            try? LocalStore.checkpoint(directory: directory)
        }
    }
}

extension Array {
    fileprivate func chunks(of count: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: self.count, by: count).map { self[$0..<Swift.min($0 + count, self.count)] }
    }
}
