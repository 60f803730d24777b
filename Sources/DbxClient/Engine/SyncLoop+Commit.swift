import DbxClientAPI
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxTransfer
import DbxWire

extension SyncLoop {
    /// Saves the commit, sends it, and does what the answer means. Without an answer it stays saved.
    func send(_ planned: PlannedCommit) throws {
        let commit = LocalStore.InFlightCommit(
            id: planned.request.id, body: try WireJSON.encode(planned.request),
            covered: try WireJSON.encode(planned.covered))
        try store { store throws(StoreError) in try store.saveCommit(commit) }
        try deliver(commit, planned.request, planned.covered)
    }

    /// A commit that was saved and has no answer goes out again, byte for byte, before anything else.
    func resendCommit() throws {
        guard let commit = try store({ store throws(StoreError) in try store.commitInFlight() }) else { return }
        let request = try WireJSON.decode(CommitRequest.self, from: commit.body)
        let covered = try WireJSON.decode(CoveredRows.self, from: commit.covered)
        try deliver(commit, request, covered)
    }

    /// An epoch covers the commit before it goes out: what a power cut took back here, the server must not have, for it
    /// would come back as a change of somebody else. Before that epoch it may have been saved by a process that was killed.
    private func deliver(
        _ commit: LocalStore.InFlightCommit, _ request: CommitRequest, _ covered: CoveredRows
    ) throws {
        try cover()
        do throws(APIError) {
            let result = try parts.api.commit(in: parts.namespace, body: commit.body, cancel: cancel)
            try accepted(request, covered, result)
        } catch {
            guard error.meaning == .refused, let problem = error.problem else { throw error }
            try store { store throws(StoreError) in try store.removeCommit(commit.id) }
            refused(error, problem, request, covered)
        }
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
            let sent = try parts.shared.withStore { store in try TreeActivity.sent(request, store: store) }
            let rule = massChanges.rule(wall: parts.time.now())
            let lost = try parts.shared.withStore { store in try rule.lost(in: request, store: store) }
            massChanges.sent(lost, now: now)
            let outcome = CommitOutcome(of: request, covered, answer: result)
            while try parts.shared.withStore({ store in try outcome.step(store) }) {}
            try parts.shared.withStore { store in try store.dropDeadNodes(isOpen: { [tree] in tree.isOpen($0) }) }
            parts.journal.add(.sent, sent)
        } catch {
            throw APIError(.garbage("the server's answer cannot be applied here: \(error)"))
        }
        for node in covered.nodes { forgetUpload(node) }
        if result.seq == knownHead.next { knownHead = result.seq }
        rowsSincePull += request.nodes.count + request.entries.count
        rowLimit = min(Self.maximumRows, rowLimit * 4)
        conflictsInRow = 0
        sendsWholeRows = false
        refusedRemovals = []
        learn(result.quota)
        report.countCommit(request)
        tree.roomMayHaveGrown()
    }

    private func forgetUpload(_ node: CoveredRows.Node) {
        guard let snapshot = node.content, uploaded[snapshot.number]?.snapshot == snapshot else { return }
        uploaded[snapshot.number] = nil
    }

    // MARK: Refusals

    private func refused(
        _ error: APIError, _ problem: Problem, _ request: CommitRequest, _ covered: CoveredRows
    ) {
        let contents = covered.nodes.filter { $0.content != nil }
        switch problem.kind {
        case .conflict:
            mustPull = true
            dropUploads(of: (problem.nodes ?? []).map(\.id))
            endNodes(problem.nodes ?? [])
            conflictsInRow += 1
            // A pull settles a conflict. Should it not, this must not become a storm.
            if conflictsInRow > 3 {
                note("The server keeps refusing a commit: \(error)")
                pacing.pause(until: now + min(.seconds(30), .milliseconds(100 << min(conflictsInRow, 10))))
            }
        case .cursorGone:
            // The pull sees it too, and compares everything anew.
            mustPull = true
        case .commitIDReused:
            // Only an answer that was lost together with local rows leads here: the pull tells what stands there.
            mustPull = true
        case .badRequest where !sendsWholeRows && request.hasEdits:
            note("The server refused a commit: \(error)")
            sendsWholeRows = true
        case .missingBlocks:
            // Should what a file has here not be what the server has of it, everything is said.
            sendsWholeRows = true
            parts.uploader.doubt(problem.missing ?? [])
            loseBlocks(problem.missing ?? [], of: contents.compactMap { $0.content?.number })
            dropUploads(of: contents.map(\.id))
            isolate(error, request, covered)
        case .quotaExceeded where !contents.isEmpty:
            note("The server refused a commit: \(error)")
            dropUploads(of: contents.map(\.id))
            for node in contents { if let content = node.content { hold(content.number, because: error) } }
        default:
            note("The server refused a commit: \(error)")
            mustPull = problem.kind == .invalidTree
            isolate(error, request, covered)
        }
    }

    private func endNodes(_ rows: [NodeRow]) {
        guard rows.contains(where: \.deleted) else { return }
        do {
            let done = try parts.shared.withStore { store in
                try recording(in: store) {
                    var applier = makeApplier(store, [:])
                    try applier.endKnown(rows)
                    return applier
                }
            }
            applied(done)
        } catch {
            note("Sync failed on this machine: \(error)")
        }
    }

    /// What a content here is made of and the server turns out not to have is sent again, as far as it is here.
    private func loseBlocks(_ missing: [BlockID], of files: [InodeNumber]) {
        do {
            try store { store throws(StoreError) in
                var known: Set<BlockNumber> = []
                for id in missing { if let number = try store.blockNumber(id) { known.insert(number) } }
                if known.isEmpty { return }
                try store.loseBlocks(known)
                for number in files where try store.node(number) != nil { try store.noteLostContent(number) }
            }
        } catch {
            note("Sync failed on this machine: \(error)")
        }
    }

    /// Makes commits smaller until the row that the server does not want stands alone, and holds that one.
    private func isolate(_ error: APIError, _ request: CommitRequest, _ covered: CoveredRows) {
        if rowLimit > 1 {
            rowLimit = max(1, min(rowLimit, request.nodes.count + request.entries.count) / 4)
            return
        }
        if error.problem?.kind == .missingBlocks, missingTries < 3 {
            missingTries += 1
            return
        }
        missingTries = 0
        rowLimit = Self.maximumRows
        let nodes = Set(covered.nodes.map(\.id)).union(covered.entries.compactMap(\.sent))
        dropUploads(of: nodes)
        for id in nodes {
            if let number = try? store({ store throws(StoreError) in try store.node(id)?.number }) {
                hold(number, because: error)
            }
        }
        // A removal has no node to hold: the whole push waits.
        if nodes.isEmpty {
            refusedRemovals = request.entries.compactMap { refusedRemoval($0, because: error) }
            pacing.pause(until: now + .seconds(60))
        }
    }

    private func refusedRemoval(_ entry: EntryChange, because error: APIError) -> RefusedItem? {
        let path = try? store { store throws(StoreError) -> [UInt8]? in
            guard let parent = try store.node(entry.parent) else { return nil }
            return try TreePath.path(of: entry.name, under: parent.number, in: store)
        }
        return (path ?? nil).map { path in
            RefusedItem(
                path: String(decoding: path, as: UTF8.self),
                reason: "its removal: " + (error.problem?.title ?? error.description), remedy: Self.remedy(for: error))
        }
    }
}

extension CommitRequest {
    /// Whether rows of segments are said as edits of the server's.
    fileprivate var hasEdits: Bool {
        nodes.contains { $0.content?.segments.contains { $0.base != nil } ?? false }
    }
}
