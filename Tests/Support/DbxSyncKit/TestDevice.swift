import Crypto
import DbxContent
import DbxLocalStore
import DbxModel
import DbxServerCore
import DbxSync
import DbxTestKit
import DbxWire

/// A local store and the sync decisions on it, talking to a real server core by direct calls.
package final class TestDevice {
    package let name: String
    package let store: LocalStore
    package let time: FakeTime
    package let entropy: SeededEntropy
    /// How pages are cut into pieces: of its own, so that a seed stays the run that it was.
    package let cuts = SeededEntropy(seed: 1)
    package let host: TestServer
    package let isPartial: Bool
    package var server: Server { host.server }
    package let caller: Caller
    package let namespace: NamespaceID
    private let keyring: NamespaceKeyring
    private let directory: TemporaryDirectory
    /// Plain bytes of every block that any device has made: stands for fetching.
    package let blocks: BlockPool
    package var busy: Set<InodeNumber> = []
    /// What the mass-change guard holds.
    package var rule: HoldRule?
    package var policy = ConflictPolicy.keepBoth
    /// Commits are as large, and settled in as large steps, as the daemon's; otherwise both are drawn at random.
    package var isLikeDaemon = false
    /// Otherwise so many rows are in a commit at most, and so many contents go up for it.
    package var mostRows = 40
    package var mostUploads = Int.max
    /// While a commit is on its way the next one is planned, as the daemon does beside large ones.
    package var plansAhead = false
    /// Told of each commit that the server has taken.
    package var onCommit: (CommitRequest) -> Void = { _ in }
    /// So many rows are in a page of changes at most.
    package var mostRowsInPage = 20
    /// What each step of settling a commit cost, in SQLite's instructions.
    package private(set) var settlingCosts: [Int64] = []
    package var conflicts: [ConflictNotice] = []
    package var losses: [LostVersion] = []
    /// How many percent of the blocks that are sent stay in the cache.
    package var cachedShare = 100
    /// What the server refused, for the message of a test that fails.
    package private(set) var trace: [String] = []

    /// What others do at the server before a question of this device's pull is answered.
    package var beforeAnswer: () throws -> Void = {}
    /// The next pull asks for them.
    package var refused: RefusedRows?

    /// `isPartial`: begins with the mounted directory alone, as the daemon does. `inMemory`: where syncs cost nothing.
    package init(
        _ name: String, on server: TestServer, blocks: BlockPool, entropy: SeededEntropy, isPartial: Bool = false,
        inMemory: Bool = false
    ) throws {
        self.name = name
        host = server
        self.isPartial = isPartial
        self.blocks = blocks
        self.entropy = entropy
        time = server.time
        directory = TemporaryDirectory(inMemory: inMemory)
        let login = try server.server.login(
            LoginRequest(user: "ann", password: "correct horse", device: name), address: "test")
        caller = try server.server.authenticate(token: login.token)
        let session = try server.server.session(caller)
        namespace = session.root
        let grant = session.namespaces[0]
        keyring = try NamespaceKeyring(grant.keys)
        store = try LocalStore(
            StoreConfiguration(directory: directory.path + "/store", freeSpaceFloorBytes: 0), time: time,
            entropy: entropy)
        try store.makeRoot(grant.rootNode, now: time.now(), knowledge: isPartial ? .partial : .whole)
        // Nothing is pushed before the first rows have come.
        if isPartial, let page = try askForPage(of: .root) { try take(page) } else { try pull() }
    }

    /// No two moments are the same.
    package func moment() -> Timestamp {
        time.advance(by: .microseconds(1))
        return time.now()
    }

    // MARK: Sync

    package func pull() throws {
        do { try pullPages() } catch let problem as Problem where problem.kind == .cursorGone {
            try startOver()
            try pullPages()
        }
    }

    private func pullPages() throws {
        try store.clearStaged()
        var cursor = try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) }
        var pages = PulledPages()
        var needs = refused?.nodes ?? []
        while true {
            let page = try server.changes(
                caller, namespace: namespace, cursor: cursor, limit: 1 + entropy.number(below: mostRowsInPage))
            try store.stagePage(WireJSON.encode(page))
            pages.add(page)
            cursor = page.cursor
            guard page.complete else { continue }
            needs = try apply(pages, asking: needs)
            if needs.isEmpty { return }
        }
    }

    /// Returned is what has to be asked for again once more pages have come.
    private func apply(_ pages: PulledPages, asking: Set<NodeID>) throws -> Set<NodeID> {
        var needs = asking
        var supplement: PullSupplement?
        while true {
            if !needs.isEmpty {
                try beforeAnswer()
                let answer = try ask(for: needs)
                guard answer.isTrue(at: pages.seq) else { return needs }
                supplement = answer
            }
            let hashes = try localHashes(ConflictCandidates.among(pages, in: store))
            var applier = makeApplier(hashes)
            needs = try applier.apply(pages, refused: refused, supplement: supplement)
            conflicts += applier.conflicts
            guard needs.isEmpty else { continue }
            refused = nil
            return []
        }
    }

    package func ask(for nodes: Set<NodeID>, cursor: String? = nil) throws -> PullSupplement {
        let ids = nodes.sorted()
        let cursor = try cursor ?? store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) }
        let answers = try stride(from: 0, to: ids.count, by: NodesPage.maximumIDs).map { start in
            let some = Array(ids[start..<min(start + NodesPage.maximumIDs, ids.count)])
            return try server.nodes(caller, namespace: namespace, ids: some, cursor: cursor)
        }
        return PullSupplement(nodes, answers)
    }

    private func localHashes(_ numbers: [InodeNumber]) throws -> [InodeNumber: LocalContentHash] {
        var hashes: [InodeNumber: LocalContentHash] = [:]
        for number in numbers {
            guard let node = try store.node(number), let hash = try wholeHash(node) else { continue }
            hashes[number] = LocalContentHash(contentChange: node.contentChange, hash: hash)
        }
        return hashes
    }

    package func makeApplier(_ hashes: [InodeNumber: LocalContentHash] = [:]) -> PullApplier {
        PullApplier(
            store: store, now: time.now(), entropy: entropy, device: name, policy: policy, localHashes: hashes,
            isBusy: { self.busy.contains($0) })
    }

    /// What waited for the last writing handle of the node to be closed.
    package func applyDeferred(_ id: NodeID) throws {
        var applier = makeApplier(try localHashes(ConflictCandidates.deferred(id, in: store)))
        try applier.applyDeferred(id)
    }

    /// The last writing handle of the file is closed.
    package func close(_ number: InodeNumber) throws {
        busy.remove(number)
        var applier = makeApplier()
        try applier.settleClosed(number)
        conflicts += applier.conflicts
    }

    // MARK: Looking

    /// As the file system does before it says what is under a name: asks until it knows.
    package func know(_ name: Name, in directory: InodeNumber) throws {
        try list(directory) { try self.store.knows(name, in: $0) }
    }

    package func knowAll(_ directory: InodeNumber) throws { try list(directory) { _ in false } }

    private func list(_ directory: InodeNumber, until isEnough: (LocalNode) throws -> Bool) throws {
        for _ in 0..<100 {
            guard let node = try store.node(directory), node.knowledge == .partial, try !isEnough(node) else { return }
            // A directory that the server does not have any more goes with the next pull.
            if let page = try askForPage(of: directory) { try take(page) } else { return try pull() }
        }
    }

    /// One commit at most; whether there was anything to say. A conflict is pulled and tried again by the next call.
    /// With `losingAnswer` the server takes the commit but the device learns of it only by sending it again. `meanwhile`
    /// is what programs do between the commit and its answer, `onceUploaded` what they do before it is planned, `oncePlanned`
    /// before it is saved; `leaving` percent of the contents have not gone up yet.
    package func push(
        losingAnswer: Bool = false, leaving: Int = 0, onceUploaded: () throws -> Void = {},
        oncePlanned: () throws -> Void = {}, meanwhile: () throws -> Void = {}
    ) throws -> Bool {
        var context = PushContext(
            openForWriting: { self.busy.contains($0) }, rule: rule, urgent: true,
            rowLimit: isLikeDaemon ? 1_000 : 1 + entropy.number(below: mostRows))
        let first = try PushPlanner.plan(store: store, context: context, now: time.now(), commitID: freshID())
        // Some files are still on their way when the commit is made.
        for number in first.uploads.prefix(mostUploads) where !entropy.chance(leaving) {
            context.uploaded[number] = try upload(number)
        }
        try onceUploaded()
        let plan = try PushPlanner.plan(store: store, context: context, now: time.now(), commitID: freshID())
        guard var commit = plan.commit else { return false }
        store.hasPlannedCommit = true
        var answered: (commit: PlannedCommit, result: CommitResult)?
        while true {
            try oncePlanned()
            let cursor = try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) }
            commit.request.cursor = answered?.result.cursor ?? cursor
            let body = try WireJSON.encode(commit.request)
            let submitted = SubmittedCommit(
                caller: caller, namespace: namespace, request: commit.request, digest: Array(SHA256.hash(data: body)))
            try store.saveCommit(
                LocalStore.InFlightCommit(
                    id: commit.request.id, body: body, covered: try WireJSON.encode(commit.covered)))
            // The one before is settled while this one is on its way.
            if let (commit, result) = answered { try settle(commit, result, meanwhile) }
            let next = plansAhead ? try planAhead(of: commit, &context) : nil
            do {
                if losingAnswer { _ = try server.commit(submitted) }
                let result = try server.commit(submitted)
                onCommit(commit.request)
                answered = (commit, result)
                if next == nil { try settle(commit, result, meanwhile) }
            } catch let problem as Problem {
                trace.append("\(commit.request) -> \(problem.detail)")
                guard [.conflict, .invalidTree, .cursorGone].contains(problem.kind) else { throw problem }
                try SyncMeta.refuse(commit.request.id, in: store)
                try settle(problem, of: commit.request)
                return true
            }
            guard let next else { return true }
            commit = next
        }
    }

    private func settle(_ commit: PlannedCommit, _ answer: CommitResult, _ meanwhile: () throws -> Void) throws {
        repeat { try meanwhile() } while try settleSome(of: commit, answer: answer)
        for block in commit.request.blocks where cachedShare > entropy.number(below: 100) { try cache(block.id) }
        _ = try store.dropDeadNodes(isOpen: { self.busy.contains($0) })
    }

    /// The next commit, planned while this one is on its way.
    private func planAhead(of commit: PlannedCommit, _ context: inout PushContext) throws -> PlannedCommit? {
        context.inFlight = RowsInFlight(commit.covered)
        let first = try PushPlanner.plan(store: store, context: context, now: time.now(), commitID: freshID())
        for number in first.uploads.prefix(mostUploads) { context.uploaded[number] = try upload(number) }
        let next = try PushPlanner.plan(store: store, context: context, now: time.now(), commitID: freshID()).commit
        store.hasPlannedCommit = next != nil
        return next
    }

    /// As the daemon does with a commit that was refused.
    private func settle(_ problem: Problem, of request: CommitRequest) throws {
        switch problem.kind {
        case .conflict: refused = RefusedRows(problem, upTo: try SyncMeta.seq(in: store) ?? .zero)
        case .invalidTree: refused = RefusedRows(request)
        default: break
        }
        let isRepair = refused != nil
        try pull()
        if isRepair { try compareAnew() }
    }

    /// A step at a time, from where it was: as when the process has ended in between.
    private func settleSome(of commit: PlannedCommit, answer: CommitResult) throws -> Bool {
        let outcome =
            isLikeDaemon
            ? CommitOutcome(of: commit.request, commit.covered, answer: answer)
            : CommitOutcome(
                of: commit.request, commit.covered, answer: answer, rowsAtOnce: 1 + entropy.number(below: 20))
        let before = store.databaseInstructions
        defer { settlingCosts.append(store.databaseInstructions - before) }
        return try outcome.step(store)
    }

    private func freshID() -> CommitID { CommitID(high: entropy.next(), low: entropy.next()) }

    private func upload(_ number: InodeNumber) throws -> UploadedContent? {
        guard try bringBackLost(number) else { return nil }
        guard let snapshot = try store.beginUpload(number) else { return nil }
        defer { store.endUpload(snapshot) }
        var segments = Dictionary(
            snapshot.dirtyStretches.map { ($0, SegmentChange(index: $0, extents: [])) }, uniquingKeysWith: { a, _ in a }
        )
        var made: [CommittedBlock] = []
        for extent in snapshot.extents {
            let index = ContentLimits.segmentIndex(of: extent.offset)
            let block: (id: BlockID, offset: Int64)
            switch extent.source {
            case .block(let number, let offset): block = (try known(store.block(number)).id, offset)
            case .staging(let location, _):
                let plain = try store.segments.read(count: Int(extent.length), at: location)
                let committed = try seal(plain)
                made.append(committed)
                block = (committed.id, 0)
            }
            segments[index]?.extents.append(
                Extent(offset: extent.offset, length: extent.length, block: block.id, blockOffset: block.offset))
        }
        return UploadedContent(
            snapshot: snapshot, segments: segments.values.sorted { $0.index < $1.index }, blocks: made,
            contentHash: try store.node(number).flatMap { try wholeHash($0) })
    }

    /// As the daemon does: known of what was written as a whole.
    private func wholeHash(_ node: LocalNode) throws -> [UInt8]? {
        guard try store.content(node.number, 0..<node.size).allSatisfy(\.isStaging) else { return nil }
        var hash = ContentHash()
        let bytes = try read(node)
        hash.update(bytes.span)
        return hash.finalize()
    }

    private func seal(_ plain: [UInt8]) throws -> CommittedBlock {
        let sealed = try keyring.makeSealer().seal(plain.span)
        let grant = try server.requestUploads(
            caller, namespace: namespace,
            UploadRequest(blocks: [OfferedBlock(id: sealed.id, storedBytes: Int64(sealed.stored.count))])
        ).grants[0]
        if let upload = grant.upload { try send(sealed.stored, to: upload) }
        blocks.put(sealed.id, plain)
        return CommittedBlock(id: sealed.id, wrap: try keyring.wrap(sealed.access, entropy: entropy))
    }

    private func send(_ bytes: [UInt8], to upload: SignedUpload) throws {
        let parts = upload.url.split(separator: "?", maxSplits: 1)
        let query = parts[1].split(separator: "&").map { $0.split(separator: "=", maxSplits: 1) }
        let receiver = try server.beginUpload(
            IncomingUpload(
                method: "PUT", upload: UploadID(hex: String(parts[0].split(separator: "/").last ?? ""))!,
                query: Dictionary(uniqueKeysWithValues: query.map { (String($0[0]), String($0[1])) }),
                headers: Dictionary(uniqueKeysWithValues: upload.headers.map { ($0.key.lowercased(), $0.value) }),
                contentLength: Int64(bytes.count)))
        try receiver.receive(bytes.span.bytes)
        try server.confirm([try receiver.store()])[0].get()
    }

    // MARK: What it shows

    package func read(_ node: LocalNode) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(node.size))
        for extent in try store.content(node.number, 0..<max(node.size, 0)) {
            let part: [UInt8]
            switch extent.source {
            case .staging(let location, _): part = try store.segments.read(count: Int(extent.length), at: location)
            case .block(let number, let offset):
                let plain = blocks.get(try known(store.block(number)).id)
                part = Array(plain[Int(offset)..<Int(offset + extent.length)])
            }
            bytes.replaceSubrange(Int(extent.offset)..<Int(extent.end), with: part)
        }
        return bytes
    }

    /// Every path with what lies there, in words that compare.
    package func tree() throws -> [String: String] {
        var result: [String: String] = [:]
        try walk(.root, "", into: &result)
        return result
    }

    private func walk(_ directory: InodeNumber, _ path: String, into result: inout [String: String]) throws {
        for entry in try store.list(directory, after: 0, limit: .max) {
            guard let node = try store.node(entry.number) else { continue }
            let place = path + "/" + entry.name.display
            let mode = String(node.attributes.mode, radix: 8)
            switch node.kind {
            case .file:
                result[place] = "file \(mode) \(node.id) \(String(decoding: try read(node), as: UTF8.self))"
            case .directory:
                result[place] = "directory \(mode) \(node.id) links \(node.links)"
                try walk(node.number, place, into: &result)
            default:
                result[place] = "\(node.kind) \(mode) \(node.target.map { String(decoding: $0, as: UTF8.self) } ?? "")"
            }
        }
    }
}

/// A block that the store must know.
private func known(_ block: AgreedBlock?) throws -> AgreedBlock {
    guard let block else { throw StoreError.notFound }
    return block
}
