import DbxClientAPI
import DbxContent
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxTransfer
import DbxWire
import Synchronization

extension SyncLoop {
    /// Plans, starts uploads, sends one commit. Whether there may be more to commit right away.
    func push() throws -> Bool {
        guard let uploads else { return false }
        if waitsForBurst() { return false }
        let start = now
        engine.listenForChanges()
        guard try readRules() else { return false }
        try sortLocalOnly()
        dropStaleUploads()
        releaseChanged()
        let plan = try makePlan(uploading: uploads.files)
        pacing.planned(from: start, to: now)
        if let judgedAgainAt { pacing.plan(at: judgedAgainAt) }
        let ready = startUploads(plan, uploads)
        isStagingFull = isStagingFull && !(ready.isEmpty && uploads.files.isEmpty)
        if let next = plan.nextReadyAt {
            let wait = max(next.nanoseconds - parts.time.now().nanoseconds, 0)
            pacing.plan(at: now + .nanoseconds(wait) + .milliseconds(5))
        }
        reportRefusals(isStuck: plan.commit == nil && ready.isEmpty && uploads.files.isEmpty)
        guard let commit = plan.commit else { return false }
        try send(commit)
        pacing.planNow()
        return true
    }

    /// While a commit is on its way: the next one, of what may go beside it. Nil where that is not worth it, or where something
    /// is to be done first.
    func prepare(beside covered: CoveredRows) throws -> PreparedCommit? {
        guard let uploads, covered.rows >= parts.leastRowsToPlanAhead, gatherContents(uploads) else { return nil }
        guard try !waitsForBurst() && store({ store throws(StoreError) in try store.unreadRuleFiles().isEmpty }) else {
            return nil
        }
        try sortLocalOnly()
        dropStaleUploads()
        let plan = try makePlan(uploading: uploads.files, beside: RowsInFlight(covered))
        _ = startUploads(plan, uploads)
        return plan.commit.map(PreparedCommit.init)
    }

    /// Takes what has gone up until there is enough for another commit, or no more is on its way; false where the answer to
    /// the last one has come before.
    private func gatherContents(_ uploads: UploadScheduler) -> Bool {
        let before = uploaded.count
        while uploaded.count - before < parts.rowsInCommit / 2 {
            let isUploading = isUploading
            let finished = engine.signals.wait { signals -> [FinishedUpload]? in
                if signals.answer != nil || signals.isUrgent { return [] }
                guard !isUploading || !signals.finishedUploads.isEmpty else { return nil }
                defer { signals.finishedUploads = [] }
                return signals.finishedUploads
            }
            for finished in finished ?? [] { settle(finished) }
            let hasAnswer = engine.signals.withLock { $0.answer != nil || $0.isUrgent }
            if hasAnswer { return false }
            if !isUploading { break }
        }
        return true
    }

    /// Starts those of the plan's uploads that may; they are returned.
    private func startUploads(_ plan: PushPlan, _ uploads: UploadScheduler) -> [InodeNumber] {
        let due = plan.uploads.filter { number in postponed[number].map { $0.until <= now } ?? true }
        let ready = holdsContents ? [] : due
        // Who goes on writing says so again.
        if !isUploading { isStagingFilling = false }
        uploads.add(ready, large: plan.largeUploads)
        let files = uploads.files
        postponed = postponed.filter { $0.value.until > now || files.contains($0.key) }
        return ready
    }

    private func waitsForBurst() -> Bool {
        let changes = engine.localChanges.load(ordering: .relaxed)
        guard burst.isBurst(changes: changes, now: now), !isUrgent else { return false }
        pacing.postpone(until: now + BurstGauge.pause)
        return true
    }

    private func makePlan(uploading: Set<InodeNumber>, beside inFlight: RowsInFlight? = nil) throws -> PushPlan {
        var context = PushContext(
            openForWriting: { [tree] in tree.openForWriting($0) }, uploading: uploading, uploaded: uploaded,
            held: held.ids, urgent: isUrgent, rowLimit: rowLimit)
        context.largeUploading = uploads?.largeCount ?? 0
        context.sendsWholeRows = sendsWholeRows
        context.heldNames = held.withNames
        context.inFlight = inFlight
        context.mayBeLarge = plansLeavingOut >= Self.mostPlansLeavingOut && inFlight == nil
        let id = CommitID(high: parts.entropy.next(), low: parts.entropy.next())
        let moment = parts.time.now()
        while true {
            let plan = try parts.shared.withStore { store throws -> PushPlan? in
                if try sorter.step(store) { return nil }
                context.rule = try holdRule(in: store, wall: moment)
                let plan = try PushPlanner.plan(store: store, context: context, now: moment, commitID: id)
                store.hasPlannedCommit = plan.commit != nil
                return plan
            }
            guard let plan else { continue }
            if inFlight == nil {
                plansLeavingOut = plan.leavesOut && !context.mayBeLarge ? plansLeavingOut + 1 : 0
            }
            return plan
        }
    }

    // MARK: Uploads

    func settle(_ finished: FinishedUpload) {
        switch finished.result {
        case .success(let upload):
            postponed[finished.number] = nil
            guard let upload, let snapshot = finished.snapshot else { return }
            uploaded[finished.number] = UploadedContent(
                snapshot: snapshot, segments: upload.segments, blocks: upload.blocks, contentHash: upload.contentHash)
        case .failure(.cancelled): break
        case .failure(let failure): settle(failure, of: finished.number)
        }
    }

    private func settle(_ failure: UploadFailure, of number: InodeNumber) {
        note("An upload failed: \(failure)")
        switch failure {
        case .api(let error) where error.meaning == .refused: hold(number, because: error)
        case .keys(.readOnly):
            hold(number, reason: "this account may only read here", remedy: "Ask the owner for leave to write.")
        case .keys:
            hasSession = false
            postpone(number, retryAfter: nil)
        case .api(let error): postpone(number, retryAfter: error.retryAfter)
        case .local(.io(.badMessage)):
            hold(
                number, reason: "unsent bytes of it are damaged on this computer's disk, so it is not sent",
                remedy: "Write it again from a good copy, or delete it, and check the disk.", untilChanged: true)
        case .lost: lostUploads.insert(number)
        case .local, .block: postpone(number, retryAfter: nil)
        case .cancelled: break
        }
    }

    private func postpone(_ number: InodeNumber, retryAfter: Duration?) {
        var retry = postponed[number]?.retry ?? RetryPolicy(first: .seconds(1), longest: .seconds(300))
        let delay = retry.delayAfterFailure(retryAfter: retryAfter, random: parts.entropy.next())
        postponed[number] = (now + max(delay, .milliseconds(500)), retry)
    }

    /// Uploads whose file is gone or has become something else meanwhile say what is not so any more.
    func dropStaleUploads() {
        parts.shared.withStore { store in
            for (number, content) in uploaded {
                let node = try? store.node(number)
                let isCurrent =
                    node?.id == content.snapshot.id && node?.contentSeq == content.snapshot.contentBase
                    && node?.contentDirty == true && node?.isOrphan == false
                if !isCurrent { uploaded[number] = nil }
            }
        }
    }

    /// Their content goes up again before they are committed.
    func dropUploads(of nodes: some Sequence<NodeID>) {
        let ids = Set(nodes)
        uploaded = uploaded.filter { !ids.contains($0.value.snapshot.id) }
    }

    // MARK: Refusals

    func hold(_ number: InodeNumber, because error: APIError, withNames: Bool = false) {
        let reason = error.problem?.title ?? error.description
        hold(number, reason: reason, remedy: Self.remedy(for: error), withNames: withNames)
    }

    private func hold(
        _ number: InodeNumber, reason: String, remedy: String, untilChanged: Bool = false, withNames: Bool = false
    ) {
        guard let node = (try? store { store throws(StoreError) in try store.node(number) }) ?? nil else { return }
        let refusal = HeldRows.Refusal(
            number: number, reason: reason, remedy: remedy, contentChange: untilChanged ? node.contentChange : nil,
            withNames: withNames)
        held.hold(node.id, refusal, now: now)
    }

    /// Files that were written again or deleted since, where that was what they waited for.
    private func releaseChanged() {
        guard held.rows.values.contains(where: { $0.contentChange != nil }) else { return }
        parts.shared.withStore { store in
            held.release { refusal in
                guard let change = refusal.contentChange else { return false }
                return (try? store.node(refusal.number))??.contentChange != change
            }
        }
    }

    static func remedy(for error: APIError) -> String {
        switch error.problem?.kind {
        case .quotaExceeded:
            "Delete files that are not needed, or ask the server's administrator for more room; it is tried again then."
        case .forbidden: "Ask the owner for leave to write; it is tried again every few minutes."
        default: error.problem.map(\.detail) ?? "It is tried again every few minutes."
        }
    }

    private func reportRefusals(isStuck: Bool) {
        // What has no name here any more is nothing that a person could do something about.
        var items = refusedRemovals
        items += held.rows.values.prefix(100).compactMap { refusal in
            displayPath(of: refusal.number).map { path in
                RefusedItem(path: path, reason: refusal.reason, remedy: refusal.remedy)
            }
        }
        let isFailing = postponed.values.contains { $0.retry.failures >= 3 }
        report.update { state in
            state.held = held.rows
            state.refused = items.sorted { $0.path < $1.path }
            state.isStuck = isStuck && (isFailing || !items.isEmpty || state.guarded != nil)
        }
    }

    private func displayPath(of number: InodeNumber) -> String? {
        let path = try? store { store throws(StoreError) in try TreePath.path(of: number, in: store) }
        guard let path = path ?? nil else { return nil }
        return path.isEmpty ? "." : String(decoding: path, as: UTF8.self)
    }
}
