import CurlHTTP
import DbxClientAPI
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxWire
import Logging
import Synchronization

/// The engine's thread: what it remembers between its steps. Used by that thread only.
///
/// One step: send again what has no answer, pull what is new, plan, start uploads, commit. It repeats while there is
/// something to commit, then sleeps until a signal or the next moment at which something becomes ready.
final class SyncLoop {
    let parts: Engine.Parts
    let report: EngineReport
    let tree: any SyncedTree
    /// Nil for a loop that only pulls.
    let uploads: UploadScheduler?
    let engine: Engine
    /// On whose one thread commits are sent.
    let commits: ThreadPool

    /// The head up to which rows are known here, by pulls and by commits of our own.
    var knownHead = Seq.zero
    /// The newest head that the server told of.
    var noticedHead = Seq.zero
    var mustPull = true
    /// The next pull asks for them as well.
    var refusedRows: RefusedRows?
    /// Rows committed here since the last pull: the next one brings them all again.
    var rowsSincePull = 0
    /// Whether the server has confirmed the session since it was reached.
    var hasSession = false

    var uploaded: [InodeNumber: UploadedContent] = [:]
    /// Files whose upload failed, until when they wait.
    var postponed: [InodeNumber: (until: Duration, retry: RetryPolicy)] = [:]
    /// Files whose content the server has lost, and that cannot be sent again.
    var lostUploads: Set<InodeNumber> = []
    var held = HeldRows()
    /// Removals that the server refused with the last commit: no node stands for them.
    var refusedRemovals: [RefusedItem] = []
    var massChanges: MassChangeGuard
    /// When the guard judges what it gathers again.
    var judgedAgainAt: Duration?
    var rowLimit: Int
    var conflictsInRow = 0
    /// How often the server has refused a commit that could not be made smaller.
    var smallestTries = 0
    var isStagingFull = false
    /// What is not going up yet is to, once nothing else does.
    var isStagingFilling = false
    /// See `PushContext`; until the next commit is taken.
    var sendsWholeRows = false
    /// Plans in a row that have left something out because it needs very much.
    var plansLeavingOut = 0
    static let mostPlansLeavingOut = 10
    var sorter = LocalOnlySorter()
    /// Which of the store's rules the sorter has.
    var rulesVersion = -1
    var pacing = PlanPacing()
    var burst = BurstGauge()
    private var retry = RetryPolicy(first: .milliseconds(500), longest: .seconds(30))

    init(_ engine: Engine, tree: any SyncedTree, uploads: UploadScheduler?, commits: ThreadPool) {
        self.commits = commits
        self.engine = engine
        parts = engine.parts
        rowLimit = parts.rowsInCommit
        report = engine.report
        self.tree = tree
        self.uploads = uploads
        let record = parts.shared.withStore { Self.guardRecord(in: $0) }
        massChanges = MassChangeGuard(parts.guardSettings, record: record ?? MassChangeGuard.Record())
        showGuard()
    }

    /// Somebody waits for contents to be on the server, or for the room that they take here.
    private var isAwaited: Bool { engine.urgency.load(ordering: .relaxed) > 0 || isStagingFull }
    var isUrgent: Bool { isAwaited || isStagingFilling && !isUploading }
    var isUploading: Bool { uploads?.files.isEmpty == false }
    /// The connection is metered, and nobody waits.
    var holdsContents: Bool { engine.isMetered && !isAwaited }
    var cancel: CancelToken { engine.cancel }
    var now: Duration { parts.time.monotonic() }

    func run() {
        restoreDeferred()
        var deadline: Duration? = now
        while true {
            let signals = wait(until: deadline)
            if signals.isStopped { return }
            absorb(signals)
            guard parts.connectivity.isConnected, !engine.pause.isOn else {
                deadline = [sortMeanwhile(), engine.pause.isOn ? pauseEnd : nil].compactMap(\.self).min()
                continue
            }
            deadline = step()
        }
    }

    /// When to look whether a pause is over: at its end, but at least every hour, for the wall clock may be set meanwhile.
    private var pauseEnd: Duration? {
        engine.pause.until.map { end in
            now + min(.nanoseconds(end.nanoseconds - parts.time.now().nanoseconds), .seconds(3_600))
        }
    }

    // MARK: Waking

    private func wait(until deadline: Duration?) -> EngineSignals {
        let timeout = deadline.map { max($0 - now, .zero) }
        let woken = engine.signals.wait(timeout: timeout) { signals -> EngineSignals? in
            guard signals.isPending else { return nil }
            return self.take(&signals)
        }
        return woken ?? EngineSignals()
    }

    private func take(_ signals: inout EngineSignals) -> EngineSignals {
        let taken = signals
        signals = EngineSignals(isStopped: taken.isStopped)
        return taken
    }

    private func absorb(_ signals: EngineSignals) {
        noticedHead = max(noticedHead, signals.noticedHead)
        if signals.mustPull { mustPull = true }
        if signals.hasDisconnected { uploads?.cancelAll() }
        if signals.hasConnected {
            hasSession = false
            postponed = [:]
            held.releaseAll()
            retry.succeeded()
        }
        if let (answer, change) = signals.guardAnswer { answerGuard(answer, upTo: change) }
        if signals.pauseChanged, engine.pause.isOn || holdsContents { uploads?.cancelAll() }
        let beginsFilling = signals.isStagingFilling && !isStagingFilling && !isUploading && !holdsContents
        if signals.isStagingFilling { isStagingFilling = true }
        if signals.isStagingFull { isStagingFull = true }
        noteFetched(signals.fetched)
        for number in signals.closedFiles { applyDeferred(number) }
        for finished in signals.finishedUploads { settle(finished) }
        let isQuick = signals.urgencyChanged || signals.hasConnected || signals.isStagingFull || signals.pauseChanged
        if isQuick || beginsFilling {
            pacing.planNow()
        } else if signals.hasLocalChange {
            pacing.planSoon(now: now)
        }
        if !signals.finishedUploads.isEmpty {
            pacing.uploadFinished(isLast: uploads?.files.isEmpty ?? true, now: now)
        }
    }

    // MARK: Steps

    /// Everything that can be done now. When to look again; nil: only a signal can bring more.
    private func step() -> Duration? {
        do {
            try confirmSession()
            try resendCommits()
            while true {
                tree.removeOrphans()
                if mustPull || noticedHead > knownHead { try pull() }
                try giveUpLost()
                if held.releaseIfDue(now: now) || isSomethingDue { pacing.plan(at: now) }
                guard let planAt = pacing.nextPlan, planAt <= now, try push() else { break }
            }
            try catchUp()
            retry.succeeded()
            return nextDeadline
        } catch {
            // What was planned may not be done, or not all of it.
            pacing.planNow()
            return failed(error)
        }
    }

    private func failed(_ error: any Error) -> Duration? {
        guard let error = error as? APIError else {
            note("Sync failed on this machine: \(error)")
            return now + retry.delayAfterFailure(random: parts.entropy.next())
        }
        switch error.meaning {
        case .loggedOut, .cancelled:
            return nil
        case .away, .busy:
            note("The server cannot be used now: \(error)")
        case .refused:
            note("The server refused: \(error)")
        }
        let delay = retry.delayAfterFailure(retryAfter: error.retryAfter, random: parts.entropy.next())
        return now + max(delay, .milliseconds(200))
    }

    /// Who we are and what we may open, once per connection; also where the server's journal stands.
    private func confirmSession() throws(APIError) {
        guard !hasSession else { return }
        let session = try parts.api.session(cancel: cancel)
        guard let grant = session.namespaces.first(where: { $0.id == parts.namespace }) else {
            throw APIError(.garbage("the account has lost its tree on the server"))
        }
        parts.sessionChanged(session)
        learn(grant.quota)
        noticedHead = max(noticedHead, grant.head)
        hasSession = true
        // Its data may have been put back to an older state: the head alone does not tell.
        mustPull = true
        pacing.planNow()
    }

    /// Rows of our own commits come back with the next pull. When many have gathered and nothing else is to be done they
    /// are fetched now, so that they do not stand before a change of somebody else.
    private func catchUp() throws {
        guard rowsSincePull > 1_000, uploads?.files.isEmpty ?? true, pacing.nextPlan == nil else { return }
        try pull()
    }

    private var isSomethingDue: Bool { postponed.values.contains { $0.until <= now } }

    private var nextDeadline: Duration? {
        let retries = postponed.values.map(\.until).filter { $0 > now }
        return [pacing.nextPlan, held.deadline, retries.min()].compactMap(\.self).min()
    }

    // MARK: Reporting

    private func noteFetched(_ bytes: [InodeNumber: Int64]) {
        guard !bytes.isEmpty else { return }
        let activities = parts.shared.withStore { store in
            bytes.sorted { $0.key < $1.key }.compactMap { number, bytes in
                ((try? TreePath.path(of: number, in: store)) ?? nil).map { TreeActivity(.content, $0, bytes: bytes) }
            }
        }
        parts.journal.add(.fetched, activities)
    }

    func note(_ message: String) {
        if report.current.lastError?.message != message { parts.log.warning("\(message)") }
        let error = StatusError(message: message, at: parts.time.now())
        report.update { $0.lastError = error }
    }

    func learn(_ quota: Quota) {
        let before = report.current.quota
        if let before, quota.limitBytes != before.limitBytes || quota.usedBytes < before.usedBytes {
            held.releaseAll()
            pacing.planNow()
        }
        report.update { $0.quota = quota }
        tree.setQuota(quota.limitBytes.map { StorageQuota(limitBytes: $0, usedBytes: quota.usedBytes) })
    }
}
