package import DbxLocalStore
package import DbxModel
import DbxWire

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
    let localHashes: [InodeNumber: LocalContentHash]
    /// Whether a program has the file open for writing.
    let isBusy: (InodeNumber) -> Bool

    package private(set) var changes: [TreeChange] = []
    package private(set) var conflicts: [ConflictNotice] = []
    /// What a person would like to know of it.
    package var activities: [TreeActivity] { received.all }
    /// New segment rows of nodes that were known before: a node's row may stand in a later page than its segments.
    var gathered: [NodeID: [SegmentRow]] = [:]
    /// What the server says of contents, where there are local ones to compare.
    /// The server's state of these counts, whatever was changed here.
    private(set) var restoring: Set<NodeID> = []
    private var remoteHashes: [NodeID: [UInt8]] = [:]
    var received = ReceivedActivity()
    /// Names whose removal waits until everything else has been applied: what lies below may be new work.
    private var removals: [EntryRow] = []
    private var tombstones: [NodeRow] = []

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
    }

    /// Applies the staged pages, the last of which was complete, and forgets them.
    package mutating func applyStaged(cursor: String) throws {
        try store.transaction {
            if let ids = try store.meta(SyncMeta.restoring) {
                restoring = Set(try WireJSON.decode([NodeID].self, from: ids))
                try store.setMeta(SyncMeta.restoring, nil)
            }
            try forEachPage { try gatherBlocksAndSegments(of: $0) }
            try forEachPage { try applyNodes(of: $0) }
            try forEachPage { try applyEntriesAndFreshSegments(of: $0) }
            try finishRemovals()
            try finishTombstones()
            try settleDirectoryCycles()
            try store.clearStaged()
            try store.setMeta(SyncMeta.cursor, Array(cursor.utf8))
        }
    }

    private func forEachPage(_ body: (ChangesPage) throws -> Void) throws {
        try store.forEachStagedPage { try body(WireJSON.decode(ChangesPage.self, from: $0)) }
    }

    /// Applies rows that waited for the last writing handle of a file to close.
    package mutating func applyDeferred(_ id: NodeID) throws {
        try store.transaction {
            guard let bytes = try store.deferred(id) else { return }
            try store.removeDeferred(id)
            let rows = try WireJSON.decode(DeferredRows.self, from: bytes)
            try applyNode(rows.node, segments: rows.segments)
            try finishTombstones()
        }
    }

    func freshIdentity() -> NodeID { NodeID(high: entropy.next(), low: entropy.next()) }

    mutating func note(_ change: TreeChange) { changes.append(change) }

    /// Both versions stand: told to the caller, and listed until somebody settles it.
    mutating func note(_ conflict: KeptConflict, in parent: NodeID) throws {
        try store.recordConflict(conflict)
        conflicts.append(ConflictNotice(parent: parent, name: conflict.name, keptAs: conflict.keptAs))
    }

    mutating func note(hashOf row: NodeRow) {
        if !localHashes.isEmpty, let hash = row.contentHash { remoteHashes[row.id] = hash }
    }

    /// What becomes of our version of a file and the server's, which a pull brings.
    func outcome(ours: LocalNode, theirs: NodeID, size: Int64, changedAt: Timestamp) -> ConflictPolicy.Outcome {
        let hash = localHashes[ours.number].flatMap { $0.contentChange == ours.contentChange ? $0.hash : nil }
        let isSame = ours.size == size && (size == 0 || (hash != nil && hash == remoteHashes[theirs]))
        return policy.decide(sameContent: isSame, ours: ours.attributes.mtime, theirs: changedAt)
    }

    mutating func postpone(_ removal: EntryRow) { removals.append(removal) }
    mutating func postpone(_ tombstone: NodeRow) { tombstones.append(tombstone) }
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
    /// Nodes whose local changes are being taken back: the next whole listing counts.
    package static let restoring = "restoring"
    /// The mass-change guard's record.
    package static let massChange = "mass-change"
}

/// The newest remote state of a busy node, kept until it is applied.
struct DeferredRows: Codable {
    var node: NodeRow
    var segments: [SegmentRow]
}
