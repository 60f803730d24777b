package import DbxLocalStore
package import DbxModel
package import DbxWire

/// Brings what the server says into the visible tree. Pages are staged as they come; when one says `complete`, all of
/// them are applied in one transaction, with the store's lock held. Nothing local is lost: what was changed on both
/// sides is kept twice (DESIGN §5.3), and a node that some program writes to is left alone until it is closed.
package struct PullApplier {
    let store: LocalStore
    let now: Timestamp
    /// For the ids of nodes that are reborn.
    let entropy: any Entropy
    /// For the names of conflicted copies.
    let device: String
    let policy: ConflictPolicy
    /// Of the files that `ConflictCandidates` named.
    private var localHashes: [InodeNumber: LocalContentHash]
    /// Whether a program has the file open for writing.
    let isBusy: (InodeNumber) -> Bool

    package private(set) var changes: [TreeChange] = []
    package private(set) var conflicts: [ConflictNotice] = []
    /// Versions that the server has lost and that nobody can send from here.
    package internal(set) var losses: [LostVersion] = []
    /// What a person would like to know of it.
    package var activities: [TreeActivity] { received.all }
    /// New segment rows of nodes that were known before: a node's row may stand in a later page than its segments.
    var gathered: [NodeID: [SegmentRow]] = [:]
    /// Blocks that known contents are made of.
    var wantedBlocks: Set<BlockID> = []
    /// The server's state of these counts, whatever was changed here up to that change.
    private(set) var restoring: Set<NodeID> = []
    private(set) var restoredAt = Int64.max
    /// Commits of ours that the server refused, and may have taken later.
    private var refusedCommits: Set<CommitID> = []
    /// What the server says of contents, where there are local ones to compare.
    private var remoteHashes: [NodeID: [UInt8]] = [:]
    var received = ReceivedActivity()
    /// Files whose content is the server's anew.
    var renewed: [NodeID] = []
    /// Files that the server takes names from.
    var leftBehind: Set<NodeID> = []
    /// Those that hold what whoever took the name had not seen.
    var leftUnseen: Set<NodeID> = []
    /// What files held that were replaced here, and that have a new content on the server.
    var replacedContents: [NodeID: MergeBase] = [:]
    /// Files that lose a name while a program writes to them.
    var leaving: [LostName] = []
    /// Names whose removal waits until everything else has been applied: what lies below may be new work.
    private var removals: [EntryRow] = []
    private var tombstones: [NodeRow] = []
    /// What of the rows concerns us.
    var scope: PullScope
    /// Names that nobody was told of are nothing to forget.
    var isListing = false
    /// Those that are not known here in any way, of this directory.
    var fresh: (names: [ListedName], directory: InodeNumber)?
    /// Of a listing that compares what was known with the server's data, which were put back to an older state.
    var common: CommonHistory?

    package init(
        store: LocalStore, now: Timestamp, entropy: any Entropy, device: String, policy: ConflictPolicy = .keepBoth,
        localHashes: [InodeNumber: LocalContentHash] = [:],
        isBusy: @escaping (InodeNumber) -> Bool
    ) {
        self.store = store
        self.now = now
        self.entropy = entropy
        self.device = device
        self.policy = policy
        self.localHashes = localHashes
        self.isBusy = isBusy
        scope = PullScope(store: store, since: nil)
    }

    /// Applies the pages, the last of which was complete and ended at `end`, and forgets them. Where nodes have come into
    /// the part of the tree that is known here, or have left it, nothing is done: returned is which nodes have to be asked
    /// for, all of them, before it is tried again with the answer as `supplement`. What it says of nodes that are
    /// `refused` counts with the pages.
    package mutating func apply(
        _ pages: PulledPages, refused: RefusedRows? = nil, supplement: PullSupplement? = nil
    ) throws -> Set<NodeID> {
        let since = try store.meta(SyncMeta.cursor) == nil ? nil : SyncMeta.seq(in: store)
        scope = PullScope(store: store, since: since, supplement: supplement)
        refusedCommits = try SyncMeta.refusedCommits(in: store)
        var ends: [EntryRow] = []
        let forEachPage = { [store] (body: (ChangesPage) throws -> Void) throws in
            try pages.forEach(store, body)
            if let supplement { try body(supplement.page) }
            if let refused { try body(refused.page) }
            if !ends.isEmpty { try body(ChangesPage(ends: ends, at: pages.seq)) }
        }
        if let ids = try store.meta(SyncMeta.restoring) {
            restoring = Set(try WireJSON.decode([NodeID].self, from: ids))
            restoredAt = try store.meta(SyncMeta.restoredAt).map { Int64(bitPattern: $0.bigEndianValue) } ?? .max
        }
        let asked = (supplement?.requested ?? []).union(refused?.nodes ?? []).union(restoring)
        guard asked.count == supplement?.requested.count ?? 0 else { return asked }
        let absences = try absences(in: forEachPage, through: pages.seq, supplement)
        ends = absences.ends
        try scope.survey(forEachPage)
        let needs = scope.needs.union(absences.asked.subtracting(asked))
        guard needs.isEmpty else { return needs.union(asked) }
        try store.transaction {
            try rebase(absences.changed, supplement)
            if !restoring.isEmpty {
                try store.setMeta(SyncMeta.restoring, nil)
                try store.setMeta(SyncMeta.restoredAt, nil)
            }
            if let refused, let supplement {
                try correct(refused, supplement)
                try forgetMissing(refused, supplement, at: pages.seq, besides: forEachPage)
            }
            try apply(forEachPage)
            if let refused { try compareAnew(refused) }
            try store.clearStaged()
            try SyncMeta.setCursor(pages.cursor, at: pages.seq, in: store)
        }
        return []
    }

    mutating func apply(_ forEachPage: ((ChangesPage) throws -> Void) throws -> Void) throws {
        try forEachPage { try gatherBlocksAndSegments(of: $0) }
        try gatherOutdated()
        try forEachPage { wantBases(of: $0) }
        try forEachPage { try putWantedBlocks(of: $0) }
        if let fresh { try store.putListed(fresh.names, in: fresh.directory) }
        try forEachPage { try applyNodes(of: $0) }
        try forEachPage { try applyEntriesAndFreshSegments(of: $0) }
        try finishRemovals()
        try reviveNameless()
        for id in scope.ended { try postpone(endOf: id) }
        try finishTombstones()
        try settleDirectoryCycles()
        try keepWhatIsOpen()
    }

    /// Applies rows that waited for the last writing handle of a file to close.
    package mutating func applyDeferred(_ id: NodeID) throws {
        try store.transaction {
            guard let bytes = try store.deferred(id) else { return }
            try store.removeDeferred(id)
            let rows = try WireJSON.decode(DeferredRows.self, from: bytes)
            // A later pull may have found the file closed before this did.
            guard let local = try store.node(id), rows.node.contentSeq > local.contentSeq else { return }
            try applyNode(rows.node, segments: rows.segments)
            try reviveNameless()
            try finishTombstones()
        }
    }

    func freshIdentity() -> NodeID { NodeID(high: entropy.next(), low: entropy.next()) }

    mutating func note(_ change: TreeChange) { changes.append(change) }

    /// Both versions stand: told to the caller, and listed until somebody settles it.
    mutating func note(_ conflict: KeptConflict, in parent: NodeID, against rival: Rival?) throws {
        try store.recordConflict(conflict)
        if let rival, try store.node(conflict.copy)?.kind == .file {
            try store.recordMerge(rival.merge(in: conflict.parent, keptAs: conflict.keptAs))
        }
        conflicts.append(ConflictNotice(parent: parent, name: conflict.name, keptAs: conflict.keptAs))
    }

    mutating func note(hashOf row: NodeRow) {
        if !localHashes.isEmpty, let hash = row.contentHash { remoteHashes[row.id] = hash }
    }

    /// The file is another one now, with the same content.
    mutating func keepHash(of file: LocalNode) throws {
        guard let known = localHashes[file.number], known.contentChange == file.contentChange,
            let now = try store.node(file.number)
        else { return }
        localHashes[file.number] = LocalContentHash(contentChange: now.contentChange, hash: known.hash)
    }

    /// Whether the content is what we said ourselves, in a commit that was refused and then taken all the same: others have
    /// not changed it since, nor before without our knowing.
    func isOurOwnContent(_ row: NodeRow) -> Bool { row.contentSeq == row.seq && isOurOwn(row.commit) }

    /// The same of a name, with what is in the file that it leads to.
    func isOurOwn(_ row: EntryRow, leadingTo node: LocalNode) -> Bool {
        (node.kind != .file || node.contentSeq == row.seq) && isOurOwn(row.commit)
    }

    private func isOurOwn(_ commit: CommitID?) -> Bool { commit.map { refusedCommits.contains($0) } ?? false }

    /// What becomes of our version of a file and the server's, which a pull brings.
    func outcome(ours: LocalNode, theirs: NodeID, size: Int64, changedAt: Timestamp) -> ConflictPolicy.Outcome {
        let hash = localHashes[ours.number].flatMap { $0.contentChange == ours.contentChange ? $0.hash : nil }
        let isSame = ours.size == size && (size == 0 || (hash != nil && hash == remoteHashes[theirs]))
        return policy.decide(sameContent: isSame, ours: ours.attributes.mtime, theirs: changedAt)
    }

    mutating func postpone(_ removal: EntryRow) { removals.append(removal) }
    mutating func postpone(_ tombstone: NodeRow) { tombstones.append(tombstone) }
    func hasEnded(_ id: NodeID) -> Bool { tombstones.contains { $0.id == id } }
    /// The server, asked for the node, does not have it.
    mutating func postpone(endOf id: NodeID) throws {
        guard let node = try store.node(id) else { return }
        tombstones.append(
            NodeRow(
                id: id, seq: Seq(.max), commit: nil, deleted: true, kind: node.kind, attributes: node.attributes,
                attributesSeq: .zero, contentSeq: .zero))
    }

    mutating func takeRemovals() -> [EntryRow] {
        defer { removals = [] }
        return removals
    }
    mutating func takeTombstones() -> [NodeRow] {
        defer { tombstones = [] }
        return tombstones
    }
}

/// Two versions of something were kept: where ours is now.
package struct ConflictNotice: Hashable, Sendable {
    package var parent: NodeID
    package var name: Name
    package var keptAs: Name
}

/// Keys under which the engine and the applier keep their state in the store.
package enum SyncMeta {
    package static let cursor = "cursor"
    private static let seq = "seq"
    /// How far the server's history was known when everything had to be listed anew.
    static let common = "common"
    /// Versions that were lost with the server's history, until somebody sends them again.
    package static let losses = "losses"
    /// Nodes whose local changes are being taken back: the next pull asks for them.
    package static let restoring = "restoring"
    /// The store's change counter when that was decided.
    package static let restoredAt = "restored-at"
    /// The mass-change guard's record.
    package static let massChange = "mass-change"

    /// Ids of refused commits, one behind the other, the last ones.
    private static let refused = "refused-commits"
    private static let mostRefused = 100

    /// A commit that the server has refused is forgotten, but for its id: a proxy that tries again may have the server take
    /// it later, say when there is room again.
    package static func refuse(_ id: CommitID, in store: LocalStore) throws(StoreError) {
        try store.transaction {
            let before = try store.meta(refused) ?? []
            try store.setMeta(refused, (before + id.bytes).suffix(mostRefused * id.bytes.count))
            try store.removeCommit(id)
        }
    }

    static func refusedCommits(in store: LocalStore) throws(StoreError) -> Set<CommitID> {
        let bytes = try store.meta(refused) ?? []
        return Set(
            stride(from: 0, to: bytes.count, by: 16).compactMap { CommitID(bytes: Array(bytes[$0...].prefix(16))) })
    }

    /// Where the cursor stands; nil before the first one.
    package static func seq(in store: LocalStore) throws(StoreError) -> Seq? {
        try store.meta(seq).map { Seq(Int64(bitPattern: $0.bigEndianValue)) }
    }

    static func setCursor(_ cursor: String, at position: Seq, in store: LocalStore) throws(StoreError) {
        try store.setMeta(Self.cursor, Array(cursor.utf8))
        try store.setMeta(seq, position.value.bigEndianBytes)
        try store.noteHistory(Array(cursor.utf8), known: position)
    }

    /// The cursor knows of a commit of ours now; it stands where it stood.
    static func advance(
        _ cursor: String?, to new: String?, knowing seq: Seq, in store: LocalStore
    ) throws(StoreError) {
        guard let cursor, let new, try store.meta(Self.cursor) == Array(cursor.utf8) else { return }
        try store.setMeta(Self.cursor, Array(new.utf8))
        try store.noteHistory(Array(new.utf8), known: seq)
    }
}

/// The pages of one pull. Large ones are staged in the store only: decoding them costs more than memory is worth.
package struct PulledPages: Sendable {
    private static let rowsInMemory = 50_000
    /// Nil: they have to be read from the store.
    private var decoded: [ChangesPage]? = []
    private var rows = 0
    package private(set) var cursor = ""
    package private(set) var seq = Seq.zero

    package init() {}

    /// To be called with each page that is staged.
    package mutating func add(_ page: ChangesPage) {
        cursor = page.cursor
        seq = page.seq
        rows += page.nodes.count + page.entries.count + page.segments.count + page.blocks.count
        decoded = rows > Self.rowsInMemory ? nil : decoded.map { $0 + [page] }
    }

    func forEach(_ store: LocalStore, _ body: (ChangesPage) throws -> Void) throws {
        if let decoded { return try decoded.forEach(body) }
        try store.forEachStagedPage { try body(WireJSON.decode(ChangesPage.self, from: $0)) }
    }
}

/// The newest remote state of a busy node, kept until it is applied.
struct DeferredRows: Codable {
    var node: NodeRow
    var segments: [SegmentRow]
}
