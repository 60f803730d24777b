import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem

/// Keeps what is pinned here: looks through it when the tree may have changed, protects its blocks from eviction, and
/// fetches those that are missing. One thread; with nothing pinned it sleeps.
///
/// Sendable: guarded by its monitor, which is held for moves only.
final class PinKeeper: Sendable {
    /// What it needs of the daemon. Called on its thread, without a lock.
    struct Surroundings: Sendable {
        var tree: @Sendable () -> TreeState
        /// False while sync is paused or the server is away.
        var mayFetch: @Sendable () -> Bool
        /// Makes all of a folder known; false where that is not possible now.
        var list: @Sendable (InodeNumber) -> Bool
        /// Gives the room of what was evicted back.
        var makeRoom: @Sendable () -> Void
    }

    private struct State: Sendable {
        var isStopped = false
        var isChanged = true
        var problem: FetchFailure?
        var thread: WorkerThread?
    }

    private let shared: SharedStore
    private let gathering: BlockGathering
    private let time: any TimeSource
    private let surroundings: Surroundings
    private let state = Monitor(State())

    /// A look at everything pinned takes at most this part of the time.
    private static let largestShare = 20
    private static let retryInterval: Duration = .seconds(20)

    init(shared: SharedStore, blocks: any BlockFetching, time: any TimeSource, _ surroundings: Surroundings) {
        self.shared = shared
        gathering = BlockGathering(blocks: blocks)
        self.time = time
        self.surroundings = surroundings
    }

    func start() throws(Errno) {
        let thread = try WorkerThread(name: "dbxfs-pins") { [self] in run() }
        state.withLock { $0.thread = thread }
    }

    func stop() {
        let thread = state.update { state in
            state.isStopped = true
            return state.thread.take()
        }
        thread?.join()
    }

    /// Something was pinned or unpinned.
    func pinsChanged() { state.update { $0.isChanged = true } }

    /// Why something that is pinned cannot come; nil where nothing is known.
    var problem: FetchFailure? { state.withLock { $0.problem } }

    // MARK: The thread

    private func run() {
        var seen: TreeState?
        var isComplete = true
        var notBefore: Duration = .zero
        var retryAt: Duration = .zero
        while state.wait(timeout: pause, until: { $0.isStopped ? true : nil }) == nil {
            let now = time.monotonic()
            let tree = surroundings.tree()
            let isChanged = state.withLock { $0.isChanged }
            guard isChanged || (now >= notBefore && (tree != seen || (!isComplete && now >= retryAt))) else { continue }
            state.withLock { $0.isChanged = false }
            seen = tree
            let (missing, isKnown) = (try? look()) ?? ([], true)
            notBefore = time.monotonic() + (time.monotonic() - now) * Self.largestShare
            isComplete = (missing.isEmpty || fetch(missing)) && isKnown
            retryAt = time.monotonic() + Self.retryInterval
        }
    }

    /// Until the next look whether anything has changed.
    private var pause: Duration? {
        if state.withLock({ $0.isChanged || $0.isStopped }) { return .zero }
        let hasPins = (try? shared.withStore { store throws(StoreError) in try !store.pins().isEmpty }) ?? false
        if hasPins { return .seconds(1) }
        _ = state.wait { $0.isChanged || $0.isStopped ? true : nil }
        return .zero
    }

    /// Protects the blocks of everything pinned, and no others, and gives those that are not here; and whether all that is
    /// pinned is known.
    private func look() throws(StoreError) -> ([BlockNumber], Bool) {
        var walk = try shared.withStore { store throws(StoreError) in
            ContentWalk(try Self.pinned(store).map(\.node))
        }
        var wanted: Set<BlockNumber> = []
        var missing: [BlockNumber] = []
        var isKnown = true
        while true {
            isKnown = try listNext(walk) && isKnown
            let files = try shared.withStore { store throws(StoreError) in try walk.step(store) }
            guard let files else { break }
            var new: [BlockNumber] = []
            for block in files.flatMap(\.blocks) where wanted.insert(block.number).inserted {
                if !block.isPinned { new.append(block.number) }
                if block.cachedBytes == nil { missing.append(block.number) }
            }
            if !new.isEmpty {
                try shared.withStore { store throws(StoreError) in try store.setPinnedBlocks(adding: new, removing: [])
                }
            }
        }
        let old = shared.withStore { $0.pinnedBlockNumbers }.filter { !wanted.contains($0) }
        for start in stride(from: 0, to: old.count, by: 1_000) {
            let part = Array(old[start..<min(start + 1_000, old.count)])
            try shared.withStore { store throws(StoreError) in try store.setPinnedBlocks(adding: [], removing: part) }
        }
        return (missing, isKnown)
    }

    /// Whether the walk goes on through a folder of which everything is known.
    private func listNext(_ walk: ContentWalk) throws(StoreError) -> Bool {
        let folder = try shared.withStore { store throws(StoreError) in try walk.unlisted(store) }
        guard let folder else { return true }
        return state.withLock({ !$0.isStopped }) && surroundings.mayFetch() && surroundings.list(folder)
    }

    /// The pins that are in the tree, with their nodes; their paths are noted.
    static func pinned(_ store: LocalStore) throws(StoreError) -> [(pin: Pin, node: LocalNode)] {
        var found: [(pin: Pin, node: LocalNode)] = []
        for var pin in try store.pins() {
            guard let node = try store.node(pin.node), let path = try TreePath.path(of: node.number, in: store) else {
                continue
            }
            if path != pin.path {
                try store.putPin(pin.node, path: path, now: pin.since)
                pin.path = path
            }
            found.append((pin, node))
        }
        return found
    }

    /// Whether all have come.
    private func fetch(_ missing: [BlockNumber]) -> Bool {
        // Room that has been evicted comes back with an epoch; what comes back need not lie together.
        for _ in 0..<4 {
            guard surroundings.mayFetch() else { return false }
            let left = shared.withStore { store in missing.filter { !store.isCached($0) } }
            guard !left.isEmpty else { break }
            let failure = gathering.fetch(left) { _ in
                state.withLock { !$0.isStopped && !$0.isChanged } && surroundings.mayFetch()
            }
            state.withLock { $0.problem = failure == .serverAway ? nil : failure }
            guard failure == .local(.noSpace) else { break }
            surroundings.makeRoom()
        }
        return shared.withStore { store in missing.allSatisfy { store.isCached($0) } }
    }
}
