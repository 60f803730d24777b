import DbxClientAPI
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxTransfer
import DbxWire

extension SyncLoop {
    private static let pageRows = 2_000

    /// Fetches what is new, page by page, and applies all of it at once.
    func pull() throws {
        do throws(APIError) {
            try fetchPages()
        } catch {
            guard error.problem?.kind == .cursorGone else { throw error }
            try beginAnew()
            try fetchPages()
        }
    }

    private func fetchPages() throws(APIError) {
        var head = knownHead
        do {
            var cursor = try store { store throws(StoreError) -> [UInt8]? in
                try store.clearStaged()
                return try store.meta(SyncMeta.cursor)
            }.map { String(decoding: $0, as: UTF8.self) }
            var pages = PulledPages()
            var needs = refusedRows?.nodes ?? []
            while true {
                let received = try parts.api.changes(
                    in: parts.namespace, after: cursor, limit: Self.pageRows, cancel: cancel)
                try store { store throws(StoreError) in try store.stagePage(received.body) }
                pages.add(received.page)
                cursor = received.page.cursor
                head = max(head, received.page.lastSeq)
                guard received.page.complete else { continue }
                needs = try apply(pages, asking: needs)
                guard needs.isEmpty else { continue }
                learn(received.page.quota)
                break
            }
        } catch let error as APIError {
            throw error
        } catch {
            throw APIError(.garbage("the server's changes cannot be applied here: \(error)"))
        }
        knownHead = max(head, noticedHead)
        mustPull = false
        rowsSincePull = 0
    }

    /// Applies the pages; `needs` are nodes of which it is known that they have to be asked for. Returned are those that
    /// have to be asked for again, when more pages have come: the answer told of a later tree.
    private func apply(_ pages: PulledPages, asking needs: Set<NodeID>) throws -> Set<NodeID> {
        let hashes = localHashes(try parts.shared.withStore { try ConflictCandidates.among(pages, in: $0) })
        var needs = needs
        var supplement: PullSupplement?
        while true {
            if !needs.isEmpty {
                let answer = try parts.api.supplement(
                    needs, in: parts.namespace, cursor: pages.cursor, cancel: cancel)
                guard answer.isTrue(at: pages.seq) else { return needs }
                supplement = answer
            }
            var missing: Set<NodeID> = []
            let done = try parts.shared.withStore { store in
                try recording(in: store) {
                    var applier = makeApplier(store, hashes)
                    missing = try applier.apply(pages, refused: refusedRows, supplement: supplement)
                    return applier
                }
            }
            if missing.isEmpty {
                try dropDeadNodes()
                applied(done)
                report.update { $0.pulls += 1 }
                if refusedRows != nil { engine.relisted() }
                refusedRows = nil
                return []
            }
            needs = missing
        }
    }

    func makeApplier(
        _ store: LocalStore, _ hashes: [InodeNumber: LocalContentHash]
    ) -> PullApplier {
        PullApplier(
            store: store, now: parts.time.now(), entropy: parts.entropy, device: parts.device,
            policy: parts.conflictPolicy, localHashes: hashes, isBusy: { [tree] in tree.openForWriting($0) })
    }

    /// Without the store's lock: files are read. What cannot be read is kept twice should it come to that.
    private func localHashes(_ numbers: [InodeNumber]) -> [InodeNumber: LocalContentHash] {
        var hashes: [InodeNumber: LocalContentHash] = [:]
        for number in numbers {
            guard let snapshot = (try? store { store throws(StoreError) in try store.beginUpload(number) }) ?? nil
            else {
                continue
            }
            defer { parts.shared.withStore { $0.endUpload(snapshot) } }
            guard let hash = (try? SnapshotHash.of(snapshot, segments: parts.shared.segments)) ?? nil else { continue }
            hashes[number] = LocalContentHash(contentChange: snapshot.contentChange, hash: hash)
        }
        return hashes
    }

    struct Applied {
        var changes: [TreeChange]
        var names: [NameChange]
        var activities: [TreeActivity]
        var hasConflicts: Bool

        init(_ applier: PullApplier, names: [NameChange]) {
            changes = applier.changes
            self.names = names
            activities = applier.activities
            hasConflicts = !applier.conflicts.isEmpty
        }
    }

    func recording(in store: LocalStore, _ apply: () throws -> PullApplier) throws -> Applied {
        guard parts.events != nil else {
            return Applied(try apply(), names: [])
        }
        let (applier, names) = try store.recordingNames(apply)
        return Applied(applier, names: names)
    }

    func applied(_ done: Applied) {
        if !done.changes.isEmpty { tree.apply(changes: done.changes) }
        parts.journal.add(.received, done.activities)
        if done.hasConflicts { engine.conflicted() }
        parts.events?(RemoteEvent.events(of: done.names, done.changes))
        dropStaleUploads()
        pacing.planSoon(now: now)
    }

    // MARK: Rows that waited for a file to be closed

    /// After a restart no file is open.
    func restoreDeferred() {
        do {
            let ids = try store { store throws(StoreError) in try store.deferredNodes() }
            for id in ids { try applyDeferred(id) }
            for number in parts.shared.withStore({ $0.nodesWithLostNames }) { try settleClosed(number) }
        } catch {
            note("Sync failed on this machine: \(error)")
        }
    }

    func applyDeferred(_ number: InodeNumber) {
        do {
            let id = try store { store throws(StoreError) -> NodeID? in
                guard let id = try store.node(number)?.id, try store.deferred(id) != nil else { return nil }
                return id
            }
            if let id { try applyDeferred(id) }
            try settleClosed(number)
        } catch {
            note("Sync failed on this machine: \(error)")
        }
    }

    private func applyDeferred(_ id: NodeID) throws {
        let hashes = localHashes(try parts.shared.withStore { try ConflictCandidates.deferred(id, in: $0) })
        applied(
            try parts.shared.withStore { store in
                try recording(in: store) {
                    var applier = makeApplier(store, hashes)
                    try applier.applyDeferred(id)
                    return applier
                }
            })
    }

    /// Others took its last name while it was written to.
    private func settleClosed(_ number: InodeNumber) throws {
        guard try store({ store throws(StoreError) in try store.lostName(of: number) }) != nil else { return }
        applied(
            try parts.shared.withStore { store in
                try recording(in: store) {
                    var applier = makeApplier(store, [:])
                    try applier.settleClosed(number)
                    return applier
                }
            })
    }

    func store<Value>(_ body: (LocalStore) throws(StoreError) -> Value) throws(StoreError) -> Value {
        try parts.shared.withStore(body)
    }
}

extension ChangesPage {
    var lastSeq: Seq {
        [nodes.map(\.seq).max(), entries.map(\.seq).max(), segments.map(\.seq).max(), blocks.map(\.seq).max()]
            .compactMap(\.self).max() ?? .zero
    }
}
