import CurlHTTP
import DbxLocalStore
import DbxSystem
import DbxTransfer

/// Runs the uploads that the planner asked for, many files at a time, in its order, but small files before large ones: of
/// small files the server makes as many durable at once as come at once.
///
/// Sendable: guarded by its monitor, held for moves in the queue only. Results go to `finished`, called on its threads
/// without locks.
final class UploadScheduler: Sendable {
    private struct State: Sendable {
        var small = Queue()
        var large = Queue()
        var cancel = CancelToken()
        var isStopped = false
    }

    private struct Queue: Sendable {
        var waiting: [InodeNumber] = []
        var running: Set<InodeNumber> = []

        mutating func start() -> InodeNumber? {
            guard !waiting.isEmpty else { return nil }
            let number = waiting.removeFirst()
            running.insert(number)
            return number
        }
    }

    private let state = Monitor(State())
    private let shared: SharedStore
    private let uploader: ContentUploader
    private let tree: any SyncedTree
    private let finished: @Sendable (FinishedUpload) -> Void
    private let threads = Monitor<[WorkerThread]>([])
    /// How many files of one kind may go up while there are, or may come, others of the other kind.
    private let mostOfAKind: Int

    init(
        shared: SharedStore, uploader: ContentUploader, tree: any SyncedTree, threads count: Int = 32,
        finished: @escaping @Sendable (FinishedUpload) -> Void
    ) throws(Errno) {
        self.shared = shared
        self.uploader = uploader
        self.tree = tree
        self.finished = finished
        mostOfAKind = count * 3 / 4
        for index in 0..<count {
            let thread = try WorkerThread(name: "dbxfs-file-\(index)") { [self] in run() }
            threads.withLock { $0.append(thread) }
        }
    }

    /// Files that wait or are on their way.
    var files: Set<InodeNumber> {
        state.withLock { state in
            state.small.running.union(state.small.waiting).union(state.large.running).union(state.large.waiting)
        }
    }

    var running: Set<InodeNumber> { state.withLock { $0.small.running.union($0.large.running) } }

    var largeCount: Int { state.withLock { $0.large.running.count + $0.large.waiting.count } }

    func add(_ numbers: [InodeNumber], large: Set<InodeNumber>) {
        guard !numbers.isEmpty else { return }
        state.update { state in
            for number in numbers {
                if large.contains(number) {
                    state.large.waiting.append(number)
                } else {
                    state.small.waiting.append(number)
                }
            }
        }
    }

    /// Forgets what waits and ends what runs.
    func cancelAll() {
        state.update { state in
            state.small.waiting = []
            state.large.waiting = []
            state.cancel.cancel()
            state.cancel = CancelToken()
        }
    }

    func shutdown() {
        state.update { $0.isStopped = true }
        cancelAll()
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    private func run() {
        while let (number, cancel) = next() {
            let result = upload(number, cancel: cancel)
            state.withLock { state in
                if state.small.running.remove(number) == nil { state.large.running.remove(number) }
            }
            finished(result)
        }
    }

    private func next() -> (InodeNumber, CancelToken)? {
        let turn = state.wait { [mostOfAKind] state -> (InodeNumber, CancelToken)?? in
            if state.isStopped { return .some(nil) }
            let mayBeSmall = state.small.running.count < mostOfAKind || state.large.waiting.isEmpty
            if mayBeSmall, let number = state.small.start() { return (number, state.cancel) }
            guard state.large.running.count < mostOfAKind, let number = state.large.start() else { return nil }
            return (number, state.cancel)
        }
        return turn ?? nil
    }

    private func upload(_ number: InodeNumber, cancel: CancelToken) -> FinishedUpload {
        let snapshot: UploadSnapshot?
        do throws(UploadFailure) {
            try uploader.bringBackLost(number)
        } catch {
            return FinishedUpload(number: number, snapshot: nil, result: .failure(error))
        }
        tree.fold(number)
        do throws(StoreError) {
            snapshot = try shared.withStore { store throws(StoreError) in try store.beginUpload(number) }
        } catch {
            return FinishedUpload(number: number, snapshot: nil, result: .failure(.local(error)))
        }
        guard let snapshot else { return FinishedUpload(number: number, snapshot: nil, result: .success(nil)) }
        defer { shared.withStore { $0.endUpload(snapshot) } }
        do throws(UploadFailure) {
            let upload = try uploader.upload(snapshot, cancel: cancel)
            return FinishedUpload(number: number, snapshot: snapshot, result: .success(upload))
        } catch {
            return FinishedUpload(number: number, snapshot: nil, result: .failure(error))
        }
    }
}
