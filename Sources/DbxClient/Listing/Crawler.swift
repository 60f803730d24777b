package import DbxLocalStore
package import DbxModel
package import DbxSystem
import Logging
import Synchronization

/// Lists by itself what no program has asked for, level by level, until the whole tree is known or so many entries that it
/// is enough; names of which sync has to know more come first, and directories whose names are to be compared anew.
///
/// One thread. It gives way: to listings that programs wait for, to whoever wants the store's lock, and to a pause.
package final class Crawler: Sendable {
    package static let defaultLimit = 2_000_000

    private struct State: Sendable {
        var isStopped = false
        var isKicked = false
        var isDone = false
    }

    private let shared: SharedStore
    private let lister: DirectoryLister
    private let limit: Int
    private let time: any TimeSource
    private let mayWork: @Sendable () -> Bool
    private let state = Monitor(State())
    private let thread = Monitor<WorkerThread?>(nil)
    /// Entries known at the start, less those listed before they were counted.
    private let base = Atomic(0)

    /// - Parameter mayWork: whether the server can be reached and nobody has paused sync.
    package init(
        shared: SharedStore, lister: DirectoryLister, limit: Int, time: any TimeSource,
        mayWork: @escaping @Sendable () -> Bool
    ) {
        self.shared = shared
        self.lister = lister
        self.limit = limit
        self.time = time
        self.mayWork = mayWork
    }

    package func start() throws(Errno) {
        let worker = try WorkerThread(name: "dbxfs-crawl") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    package func stop() {
        state.update { $0.isStopped = true }
        thread.withLock { $0.take() }?.join()
    }

    /// There may be something to list again.
    package func kick() { state.update { $0.isKicked = true } }

    var status: TreeStatus {
        TreeStatus(
            entries: known, limit: limit, isReading: !state.withLock { $0.isDone },
            isComplete: (try? shared.withStore { store throws(StoreError) in
                try store.unlistedDirectories(limit: 1).isEmpty
            }) ?? false)
    }

    /// About: what comes and goes otherwise is counted at the next start.
    private var known: Int { base.load(ordering: .relaxed) + lister.listedCount }

    private func run() {
        var failures = 0
        // The server may not have a directory any more, which only the listing of another one will say.
        var failed: Set<InodeNumber> = []
        count()
        while true {
            guard mayWork(), !lister.isWanted else {
                guard sleep(.milliseconds(200)) else { return }
                continue
            }
            guard let directory = next(besides: failed) else {
                if !failed.isEmpty {
                    failed = []
                    guard sleep(.milliseconds(200 << failures)) else { return }
                    continue
                }
                state.update { $0.isDone = true }
                guard sleep(.seconds(60), untilKicked: true) else { return }
                state.update { $0.isDone = false }
                continue
            }
            let start = time.monotonic()
            if case .success = lister.listNow(directory) {
                failures = 0
            } else {
                failures = min(failures + 1, 7)
                failed.insert(directory)
            }
            let rest = failures == 0 ? (time.monotonic() - start) / 4 : .milliseconds(200 << failures)
            guard sleep(rest) else { return }
        }
    }

    /// False at the end.
    private func sleep(_ pause: Duration, untilKicked: Bool = false) -> Bool {
        _ = state.wait(timeout: pause) { state -> Bool? in
            if state.isStopped { return true }
            guard untilKicked, state.isKicked else { return nil }
            state.isKicked = false
            return true
        }
        return !state.withLock { $0.isStopped }
    }

    private func next(besides failed: Set<InodeNumber>) -> InodeNumber? {
        let limit = failed.count + 1
        let found = try? shared.withStore { store throws(StoreError) -> InodeNumber? in
            let isFull = known >= self.limit
            let wanted = try store.directoriesWithBlindNames(limit: limit) + store.staleDirectories(limit: limit)
            return try (wanted + (isFull ? [] : store.partialDirectories(limit: limit))).first { !failed.contains($0) }
        }
        return found ?? nil
    }

    private func count() {
        let listed = lister.listedCount
        let count = try? shared.withStore { store throws(StoreError) in try store.countOfNodes() }
        base.store((count ?? 0) - listed, ordering: .relaxed)
    }
}
