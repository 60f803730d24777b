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
    ///
    /// Where another one is ready it is sent first, and the answer settled while that is on its way: two commits are saved
    /// then, in their order.
    func send(_ planned: PlannedCommit) throws {
        var commit = try save(PreparedCommit(planned))
        var answered: (commit: SavedCommit, result: CommitResult)?
        while true {
            let (answer, next) = try deliver(commit) {
                if let (commit, result) = answered { try accepted(commit, result) }
                // A plan that failed is made again.
                return (try? prepare(beside: commit.covered)) ?? nil
            }
            guard let result = try taken(answer, commit) else { return }
            guard let next, mayGoOn(after: result) else { return try accepted(commit, result) }
            answered = (commit, result)
            commit = try save(next, cursor: result.cursor)
        }
    }

    /// Commits that were saved and have no answer, or whose answer was not settled, go out again, byte for byte, before
    /// anything else.
    func resendCommits() throws {
        while let saved = try store({ store throws(StoreError) in try store.commitInFlight() }) {
            let commit = SavedCommit(
                id: saved.id, body: saved.body, request: try CommitRequest(body: saved.body),
                covered: try CoveredRows(bytes: saved.covered))
            let (answer, _) = try deliver(commit) {}
            if let result = try taken(answer, commit) { try accepted(commit, result) }
        }
    }

    private func save(_ prepared: PreparedCommit, cursor: String? = nil) throws -> SavedCommit {
        try store { store throws(StoreError) in try prepared.save(in: store, cursor: cursor) }
    }

    /// An epoch covers the commit before it goes out: what a power cut took back here, the server must not have, for it
    /// would come back as a change of somebody else. Before that epoch it may have been saved by a process that was killed.
    ///
    /// Whatever fails in `meanwhile`, the answer is waited for.
    private func deliver<Value>(
        _ commit: SavedCommit, meanwhile: () throws -> Value
    ) throws -> (Result<CommitResult, APIError>, Value) {
        try cover()
        post(commit.body)
        let value = Result { try meanwhile() }
        let answer = awaitAnswer()
        return (answer, try value.get())
    }

    /// What the server made of the commit; nil where it refused it, which is settled then.
    private func taken(_ answer: Result<CommitResult, APIError>, _ commit: SavedCommit) throws -> CommitResult? {
        do throws(APIError) {
            let result = try answer.get()
            if result.seq == knownHead.next { knownHead = result.seq }
            return result
        } catch {
            guard error.meaning == .refused, let problem = error.problem else { throw error }
            try store { store throws(StoreError) in try SyncMeta.refuse(commit.id, in: store) }
            refused(error, problem, commit.request, commit.covered)
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
    private func mayGoOn(after result: CommitResult) -> Bool {
        guard knownHead == result.seq, !mustPull, noticedHead <= knownHead else { return false }
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

    private func accepted(_ commit: SavedCommit, _ result: CommitResult) throws(APIError) {
        let request = commit.request
        do {
            let sent = try tellOf(request)
            let outcome = CommitOutcome(of: request, commit.covered, answer: result)
            while try parts.shared.withStore({ store in try outcome.step(store) }) {}
            try dropDeadNodes()
            parts.journal.add(.sent, sent)
        } catch {
            throw APIError(.garbage("the server's answer cannot be applied here: \(error)"))
        }
        for node in commit.covered.nodes { forgetUpload(node) }
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
