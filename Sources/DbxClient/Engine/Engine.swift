import CurlHTTP
package import DbxClientAPI
package import DbxFileSystem
package import DbxLocalStore
package import DbxModel
package import DbxSync
package import DbxSystem
package import DbxTransfer
package import DbxWire
package import Logging
import Synchronization

/// Keeps the local tree and the server's the same: one thread that pulls, applies, uploads and commits, woken by what
/// happens here, there, and between, and asleep otherwise.
///
/// Sendable: hooks may be called from any thread and only note what happened; everything else is the loop's own.
package final class Engine: Sendable, FileSystemEvents {
    /// What the engine works with.
    package struct Parts: Sendable {
        package var shared: SharedStore
        package var api: any DbxAPI
        package var namespace: NamespaceID
        package var device: String
        package var conflictPolicy: ConflictPolicy
        package var guardSettings: MassChangeGuard.Settings
        package var keys: KeyringBox
        package var uploader: ContentUploader
        package var connectivity: Connectivity
        package var time: any TimeSource
        package var entropy: any Entropy
        package var log: Logger
        package var journal: ActivityJournal
        /// How many rows are picked for a commit at most; what they need comes on top.
        package var rowsInCommit = 1_000
        /// A commit of at least so many rows has the next one planned while it is on its way.
        package var leastRowsToPlanAhead = 200
        /// Takes what programs that watch the tree are to be told of; nil: nobody is told.
        package var events: (@Sendable ([RemoteEvent]) -> Void)?
        /// Shows a line to whoever sits before this computer; nil: nobody does. Must not wait.
        package var tellUser: (@Sendable (String) -> Void)?
        /// Called with every session that the server confirms, on the engine's thread.
        package var sessionChanged: @Sendable (SessionResponse) -> Void

        package init(
            shared: SharedStore, api: any DbxAPI, namespace: NamespaceID, device: String,
            conflictPolicy: ConflictPolicy,
            guardSettings: MassChangeGuard.Settings, keys: KeyringBox, uploader: ContentUploader,
            connectivity: Connectivity, time: any TimeSource,
            entropy: any Entropy,
            log: Logger, journal: ActivityJournal, events: (@Sendable ([RemoteEvent]) -> Void)? = nil,
            tellUser: (@Sendable (String) -> Void)? = nil,
            sessionChanged: @escaping @Sendable (SessionResponse) -> Void
        ) {
            self.shared = shared
            self.api = api
            self.namespace = namespace
            self.device = device
            self.conflictPolicy = conflictPolicy
            self.guardSettings = guardSettings
            self.keys = keys
            self.uploader = uploader
            self.connectivity = connectivity
            self.time = time
            self.entropy = entropy
            self.log = log
            self.journal = journal
            self.events = events
            self.tellUser = tellUser
            self.sessionChanged = sessionChanged
        }
    }

    let parts: Parts
    let report = EngineReport()
    let signals = Monitor(EngineSignals())
    /// Set from a change of a program's until the loop looks at the rows, for which there is a moment then: more changes
    /// bring it no sooner, and spare FUSE's threads the monitor, and the loop waking up for each.
    let isChangeNoted = Atomic(false)
    /// How many changes programs have made.
    let localChanges = Atomic<Int64>(0)
    /// How many wait in `sync`.
    let urgency = Atomic(0)
    /// Ends the loop's request under way; renewed with every connection.
    private let current = Mutex(CancelToken())
    private let thread = Monitor<WorkerThread?>(nil)
    private let scheduler = Mutex<UploadScheduler?>(nil)
    let knownCollisions = Mutex<(state: TreeState, search: CollisionSearch)?>(nil)
    private let lastPending = Mutex(PendingStatus(files: 0, bytes: 0, oldest: nil))
    private let relistingListener = Listener<Void>()
    private let conflictListener = Listener<Void>()
    private let pauseState = Mutex(TransferSettings())
    private let metered = Atomic(false)

    package init(_ parts: Parts) {
        self.parts = parts
        parts.connectivity.onChange { [weak self] state in self?.connectionChanged(state) }
    }

    var cancel: CancelToken { current.withLock { $0 } }

    private func connectionChanged(_ state: ConnectionStatus.State) {
        guard state != .connected else { return signals.update { $0.hasConnected = true } }
        let lost = current.withLock { current in
            defer { current = CancelToken() }
            return current
        }
        lost.cancel()
        signals.update { $0.hasDisconnected = true }
    }

    /// From any thread.
    package func listed(_ news: ListingNews) {
        switch news {
        case .head(let head): noticed(head: head)
        case .mustPull: signals.update { $0.mustPull = true }
        case .mayPush: signals.update { $0.hasLocalChange = true }
        case .mustCompare: relisted()
        case .conflicts: conflicted()
        }
    }

    /// Everything that is known is to be listed again.
    func relisted() { relistingListener.tell() }
    package func onRelisting(_ listener: @escaping @Sendable () -> Void) { relistingListener.set(listener) }

    /// Two versions of something were kept.
    func conflicted() { conflictListener.tell() }
    package func onConflict(_ listener: @escaping @Sendable () -> Void) { conflictListener.set(listener) }

    package func start(on tree: any SyncedTree) throws(Errno) {
        let scheduler = try UploadScheduler(shared: parts.shared, uploader: parts.uploader, tree: tree) {
            [signals] finished in
            signals.update { $0.finishedUploads.append(finished) }
        }
        self.scheduler.withLock { $0 = scheduler }
        let commits = try ThreadPool(name: "dbxfs-commit", threads: 1)
        let worker = try WorkerThread(name: "dbxfs-sync", stackBytes: PushPlanner.stackBytes) { [self] in
            SyncLoop(self, tree: tree, uploads: scheduler, commits: commits).run()
            scheduler.shutdown()
            commits.shutdown()
            // It holds the tree, which holds the engine.
            self.scheduler.withLock { $0 = nil }
        }
        thread.withLock { $0 = worker }
    }

    /// Ends the loop at the next point where nothing is half done, and waits for it. A commit in flight stays saved.
    package func stop() {
        signals.update { $0.isStopped = true }
        cancel.cancel()
        thread.withLock { $0.take() }?.join()
    }

    // MARK: Pausing

    /// Takes effect at once: uploads under way are ended, a commit under way is still answered.
    package func pauseAsTold(by settings: TransferSettings) {
        pauseState.withLock { $0 = settings }
        signals.update { $0.pauseChanged = true }
    }

    /// Whether sync is paused now, and when that ends by itself.
    var pause: (isOn: Bool, until: Timestamp?) {
        let settings = pauseState.withLock { $0 }
        return (settings.isPaused(at: parts.time.now()), settings.pausedUntil)
    }

    // MARK: Metered connections

    /// While it is on, contents wait until somebody asks for them.
    var isMetered: Bool { metered.load(ordering: .relaxed) }

    package func setMetered(_ isOn: Bool) {
        guard metered.exchange(isOn, ordering: .relaxed) != isOn else { return }
        signals.update { $0.pauseChanged = true }
    }

    /// Whether what nobody asked for may be fetched.
    var mayFetchAhead: Bool { !pause.isOn && !isMetered }

    var uploadingFiles: Set<InodeNumber> { scheduler.withLock { $0 }?.running ?? [] }

    // MARK: Hooks

    package func localChange() {
        localChanges.add(1, ordering: .relaxed)
        tellOfChange()
    }

    private func tellOfChange() {
        guard !isChangeNoted.exchange(true, ordering: .relaxed) else { return }
        signals.update { $0.hasLocalChange = true }
    }

    /// The loop is about to look at the rows: what changes from here on it is to be told of.
    func listenForChanges() { isChangeNoted.store(false, ordering: .relaxed) }

    package func lastWriterClosed(_ number: InodeNumber) {
        // Whoever defers a row asks under the store's lock whether the file is open, and it is not any more.
        if parts.shared.withStore({ $0.mayWaitForClose(of: number) }) {
            signals.update { _ = $0.closedFiles.insert(number) }
        }
        tellOfChange()
    }

    package func synchronized(_ number: InodeNumber) { localChange() }

    package func fetched(_ bytes: Int64, of number: InodeNumber) {
        signals.update { $0.fetched[number, default: 0] += bytes }
    }

    package func stagingIsFilling() { signals.update { $0.isStagingFilling = true } }
    package func stagingIsFull() { signals.update { $0.isStagingFull = true } }

    /// Its upload finds the damage too, and says what to do.
    package func foundDamage(in number: InodeNumber) {
        let path = try? parts.shared.withStore { store throws(StoreError) in try TreePath.path(of: number, in: store) }
        let shown = String(decoding: (path ?? nil) ?? [], as: UTF8.self)
        let message = "Unsent bytes of \(shown) are damaged on this computer's disk"
        parts.log.error("\(message)")
        report.update { $0.lastError = StatusError(message: message, at: parts.time.now()) }
    }

    /// The namespace's journal has reached `head`.
    package func noticed(head: Seq) {
        signals.update { $0.noticedHead = max($0.noticedHead, head) }
    }

    /// The server may have been started again, with older data: heads alone do not tell.
    package func serverMayBeAnother() { signals.update { $0.mustPull = true } }

    // MARK: Questions

    package func pending() -> PendingStatus {
        var count = PendingCount()
        do throws(StoreError) {
            while true {
                let summary = try parts.shared.withStore { store throws(StoreError) in try count.step(store) }
                guard let summary else { continue }
                let status = PendingStatus(files: summary.files, bytes: summary.bytes, oldest: summary.oldest)
                lastPending.withLock { $0 = status }
                return status
            }
        } catch {
            // While the disk fails, what was pending before still is.
            return lastPending.withLock { $0 }
        }
    }

    package func localOnly() -> LocalOnlyStatus {
        let summary = try? parts.shared.withStore { store throws(StoreError) in try store.localOnlySummary() }
        return LocalOnlyStatus(files: summary?.files ?? 0, bytes: summary?.bytes ?? 0)
    }

    /// Returns when the server has everything that was changed here before the call. See `ControlHandling.sync`.
    package func sync(report progress: (PendingStatus) -> Bool) throws(ClientFailure) {
        parts.connectivity.askAgain()
        let moment = parts.time.now()
        let change = parts.shared.withStore { $0.changeCounter }
        urgency.add(1, ordering: .relaxed)
        signals.update { $0.urgencyChanged = true }
        defer {
            urgency.subtract(1, ordering: .relaxed)
            signals.update { $0.urgencyChanged = true }
        }
        var reportedAt: Duration?
        while try isPending(moment, change) {
            try checkHope()
            let now = parts.time.monotonic()
            if reportedAt.map({ now - $0 >= .seconds(1) }) ?? true {
                guard progress(pending()) else { return }
                reportedAt = now
            }
            // The loop wakes nobody: a short wait is exact enough for people and scripts.
            let pause = Monitor(())
            _ = pause.wait(timeout: .milliseconds(20)) { _ -> Bool? in nil }
        }
    }

    private func isPending(_ moment: Timestamp, _ change: Int64) throws(ClientFailure) -> Bool {
        do throws(StoreError) {
            var search = PendingSearch(changedBefore: moment, change: change)
            while true {
                let answer = try parts.shared.withStore { store throws(StoreError) in try search.step(store) }
                if let answer { return answer }
            }
        } catch {
            throw ClientFailure(.failed, "Cannot tell what is pending: \(error)", remedy: "See the daemon's log.")
        }
    }

    /// What the mass-change guard holds back; nil: nothing.
    package var guarded: GuardStatus? { report.current.guarded }

    /// Returns when the answer has been carried out, as far as that needs no server that is away.
    package func answerGuard(_ answer: GuardAnswer) throws(ClientFailure) -> GuardStatus? {
        guard report.current.guarded != nil else {
            throw ClientFailure(.failed, "Nothing is held back", remedy: "To see what is pending: dbxfs status")
        }
        let change = parts.shared.withStore { $0.changeCounter }
        signals.update { $0.guardAnswer = (answer, change) }
        let end = parts.time.monotonic() + .seconds(60)
        while let held = report.current.guarded, parts.time.monotonic() < end {
            if held.isUndoing, pause.isOn || !parts.connectivity.isConnected { break }
            let pause = Monitor(())
            _ = pause.wait(timeout: .milliseconds(20)) { _ -> Bool? in nil }
        }
        return report.current.guarded
    }

    private func checkHope() throws(ClientFailure) {
        if pause.isOn {
            throw ClientFailure(
                .busy, "Not everything is on the server: sync is paused", remedy: "Go on with it: dbxfs resume")
        }
        let status = parts.connectivity.status
        switch status.state {
        case .connected, .connecting: break
        case .offline:
            throw ClientFailure(
                .unreachable, "Not everything is on the server: \(status.detail ?? "the server does not answer")",
                remedy: "What is pending stays on this machine and goes up by itself when the server is back.")
        case .refused:
            throw ClientFailure(
                .notLoggedIn, "Not everything is on the server: \(status.detail ?? "this device was logged out")",
                remedy: "What is pending stays on this machine. Log in again: dbxfs login")
        }
        let state = report.current
        guard state.isStuck else { return }
        if let held = state.guarded {
            throw ClientFailure(
                .busy, "\(held.changes) deletions and rewrites are held back from the server",
                remedy: "Let them go or take them back: dbxfs guard confirm, or dbxfs guard undo")
        }
        if let first = state.refused.first {
            throw ClientFailure(
                .busy,
                "The server refuses \(state.refused.count) files, the first of them \(first.path): \(first.reason)",
                remedy: first.remedy)
        }
        throw ClientFailure(
            .failed, "Not everything can go up: \(state.lastError?.message ?? "uploads keep failing")",
            remedy: "It is tried again by itself; see the daemon's log.")
    }
}
