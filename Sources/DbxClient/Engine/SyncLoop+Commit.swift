import DbxClientAPI
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxTransfer
import DbxWire

extension SyncLoop {
    /// Saves the commit, sends it, and does what the answer means; then those that were made ready while the server worked
    /// on the one before. Without an answer a commit stays saved.
    func send(_ planned: PlannedCommit) throws {
        var next: PreparedCommit? = PreparedCommit(planned)
        while let prepared = next {
            let (commit, request) = try store { store throws(StoreError) in try prepared.save(in: store) }
            next = try deliver(commit, request, prepared.covered) { try prepare(beside: prepared.covered) }
        }
    }

    /// A commit that was saved and has no answer goes out again, byte for byte, before anything else.
    func resendCommit() throws {
        guard let commit = try store({ store throws(StoreError) in try store.commitInFlight() }) else { return }
        let request = try CommitRequest(body: commit.body)
        let covered = try CoveredRows(bytes: commit.covered)
        _ = try deliver(commit, request, covered) { nil }
    }

    /// An epoch covers the commit before it goes out: what a power cut took back here, the server must not have, for it
    /// would come back as a change of somebody else. Before that epoch it may have been saved by a process that was killed.
    ///
    /// What `meanwhile` makes ready is returned if it may go next.
    private func deliver(
        _ commit: LocalStore.InFlightCommit, _ request: CommitRequest, _ covered: CoveredRows,
        meanwhile: () throws -> PreparedCommit?
    ) throws -> PreparedCommit? {
        try cover()
        post(commit.body)
        // Whatever fails here, the answer is waited for; a plan that failed is made again.
        let next = (try? meanwhile()) ?? nil
        do throws(APIError) {
            let result = try awaitAnswer().get()
            try accepted(request, covered, result)
            return knownHead == result.seq && mayGoOn ? next : nil
        } catch {
            guard error.meaning == .refused, let problem = error.problem else { throw error }
            try store { store throws(StoreError) in try SyncMeta.refuse(commit.id, in: store) }
            refused(error, problem, request, covered)
            return nil
        }
    }

    private func post(_ body: [UInt8]) {
        let job: @Sendable () -> Void = { [engine, parts, cancel] in
            let answer = Result { () throws(APIError) in
                try parts.api.commit(in: parts.namespace, body: body, cancel: cancel)
            }
            engine.signals.update { $0.answer = answer }
        }
        if !commits.submit(.urgent, job) { job() }
    }

    private func awaitAnswer() -> Result<CommitResult, APIError> {
        while true {
            let answer = engine.signals.wait { signals -> Result<CommitResult, APIError>? in
                defer { signals.answer = nil }
                return signals.answer
            }
            if let answer { return answer }
        }
    }

    /// Whether nothing has come up that goes before the next commit.
    private var mayGoOn: Bool {
        guard !mustPull, noticedHead <= knownHead else { return false }
        return engine.signals.withLock { !$0.isUrgent && $0.noticedHead <= knownHead }
    }

    private func cover() throws {
        do throws(Errno) {
            try tree.synchronizeEverything()
        } catch {
            // A state that was deleted does not come back, and nobody else will have what is in it.
            guard parts.shared.withStore({ $0.isDeleted }) else { throw error }
            note("The local state was deleted while it was mounted; what is pending is sent all the same")
        }
    }

    private func accepted(
        _ request: CommitRequest, _ covered: CoveredRows, _ result: CommitResult
    ) throws(APIError) {
        do {
            let sent = try tellOf(request)
            let outcome = CommitOutcome(of: request, covered, answer: result)
            while try parts.shared.withStore({ store in try outcome.step(store) }) {}
            try dropDeadNodes()
            parts.journal.add(.sent, sent)
        } catch {
            throw APIError(.garbage("the server's answer cannot be applied here: \(error)"))
        }
        for node in covered.nodes { forgetUpload(node) }
        if result.seq == knownHead.next { knownHead = result.seq }
        rowsSincePull += request.nodes.count + request.entries.count
        rowLimit = min(parts.rowsInCommit, rowLimit * 4)
        conflictsInRow = 0
        sendsWholeRows = false
        refusedRemovals = []
        learn(result.quota)
        report.countCommit(request)
        tree.roomMayHaveGrown()
    }

    func dropDeadNodes() throws {
        var last: InodeNumber?
        repeat {
            last = try parts.shared.withStore { store in
                try store.dropDeadNodes(after: last, limit: 64) { [tree] in tree.isOpen($0) }
            }
        } while last != nil
    }

    /// Counts for the mass-change guard what the commit takes from the server. Returned is what it told.
    private func tellOf(_ request: CommitRequest) throws -> [TreeActivity] {
        let rule = massChanges.rule(wall: parts.time.now())
        var lost = 0
        var reader = SentReader()
        try inPieces(request.entries) { entries, store in
            lost += try rule.lost(by: entries, store: store)
            for entry in entries { try reader.note(entry, in: store) }
        }
        try inPieces(request.nodes) { nodes, store in
            lost += try rule.lost(by: nodes, store: store)
            for node in nodes { try reader.note(node, in: store) }
        }
        massChanges.sent(lost, now: now)
        return reader.finish()
    }

    /// A few rows at a time with the store's lock held, so that nobody waits for all of them.
    private func inPieces<Row>(
        _ rows: [Row], _ body: (ArraySlice<Row>, LocalStore) throws -> Void
    ) throws {
        for start in stride(from: 0, to: rows.count, by: 64) {
            try parts.shared.withStore { store in try body(rows[start...].prefix(64), store) }
        }
    }

    private func forgetUpload(_ node: CoveredRows.Node) {
        guard let snapshot = node.content, uploaded[snapshot.number]?.snapshot == snapshot else { return }
        uploaded[snapshot.number] = nil
    }
}
