import DbxLocalStore
package import DbxModel
package import DbxWire

/// What of the server's rows concerns this client, which may know only a part of the tree (DESIGN §3): which unknown
/// nodes become known, which names count, and of which nodes more must be asked before the rows can be applied. To be
/// made and used in one go, with the store's lock held.
struct PullScope {
    struct Key: Hashable {
        var parent: NodeID
        var name: Name

        init(_ row: EntryRow) {
            parent = row.parent
            name = row.name
        }
    }

    private let store: LocalStore
    /// Where this client stood before; nil: it begins from nothing, so that nothing is missing.
    private let since: Seq?
    /// All names of this directory count: they are a page of its listing.
    private let listed: NodeID?

    /// Unknown nodes that become known.
    private(set) var admitted: Set<NodeID> = []
    /// Known files whose content is older than the cursor says.
    private(set) var outdated: Set<NodeID> = []
    /// Nodes of which the rows are not enough: they came into the known part, or went out of it.
    private(set) var needs: Set<NodeID> = []

    /// Whether there are directories that were not compared since everything had to be listed again, and whether it ever had
    /// to be: what has no name here is not compared.
    private var isComparing = false
    private var hasStartedOver = false

    // What the rows say.
    private var unknown: [NodeID: NodeRow] = [:]
    private var gone: Set<NodeID> = []
    private var blocks: Set<BlockID> = []
    private var bases: [BlockID: BlockID] = [:]
    /// Stretches whose rows have come, of unknown nodes.
    private var stretches: [NodeID: Set<Int64>] = [:]
    private var namesBelow: [NodeID: [EntryRow]] = [:]
    private var forced: Set<Key> = []
    private var gained: Set<NodeID> = []
    private var lost: [NodeID: Set<Key>] = [:]
    private var strays: Set<NodeID> = []
    let supplement: PullSupplement?

    init(store: LocalStore, since: Seq?, listed: NodeID? = nil, supplement: PullSupplement? = nil) {
        self.store = store
        self.since = since
        self.listed = listed
        self.supplement = supplement
    }

    /// `forEachPage` hands out all rows, those of the supplement among them, as often as it is called.
    mutating func survey(_ forEachPage: ((ChangesPage) throws -> Void) throws -> Void) throws {
        isComparing = try !store.staleDirectories(limit: 1).isEmpty
        hasStartedOver = try store.meta(SyncMeta.common) != nil
        try forEachPage { page in try gather(page) }
        try forEachPage { page in for row in page.entries { try look(at: row) } }
        try place()
        try findMovedAway()
        if since != nil {
            try forEachPage { page in for row in page.segments { try checkBlocks(of: row) } }
            for id in admitted { checkContent(of: id) }
        }
        needs.formUnion(outdated)
        needs.subtract(supplement?.requested ?? [])
    }

    // MARK: What counts

    /// Whether the name is one that this client keeps.
    func concerns(_ row: EntryRow, in parent: LocalNode) throws -> Bool {
        if parent.knowledge != .partial || row.parent == listed || forced.contains(Key(row)) { return true }
        if store.isListing(parent.number) { return true }
        if try store.knows(row.name, in: parent) { return true }
        return try row.node.map { try store.node($0) != nil } ?? false
    }

    /// What is known of a directory that becomes known: all, where it was made since this client looked last.
    func knowledge(of row: NodeRow) -> DirectoryKnowledge {
        guard listed == nil else { return .partial }
        guard let since else { return .whole }
        return row.contentSeq > since ? .whole : .partial
    }

    /// These are new here, and become known.
    mutating func admit(_ ids: Set<NodeID>) { admitted.formUnion(ids) }

    func wants(_ id: NodeID) throws -> Bool { try admitted.contains(id) || store.node(id) != nil }

    // MARK: Survey

    private mutating func gather(_ page: ChangesPage) throws {
        for row in page.nodes {
            if row.deleted {
                gone.insert(row.id)
            } else if let local = try store.node(row.id) {
                if isBehind(local, row) { outdated.insert(row.id) }
            } else if row.seq >= unknown[row.id]?.seq ?? .zero {
                unknown[row.id] = row
            }
        }
        if since != nil {
            for row in page.segments where try store.node(row.node) == nil {
                stretches[row.node, default: []].insert(row.index)
            }
            for row in page.blocks {
                blocks.insert(row.id)
                bases[row.id] = row.wrap.base
            }
        }
        for row in page.entries where row.node != nil {
            if try store.node(row.parent) == nil { namesBelow[row.parent, default: []].append(row) }
        }
    }

    /// After everything had to be listed again the cursor is new and contents may be old, until their folders are compared:
    /// then a pull has no segments of what changed in between, though it may have some of what changed later. Nor of what is
    /// new here only because the server had lost it, and has it again.
    private func isBehind(_ local: LocalNode, _ row: NodeRow) -> Bool {
        guard let since, row.kind == .file, row.contentSeq > local.contentSeq else { return false }
        return row.contentSeq <= since || isComparing || (local.isOrphan && hasStartedOver)
    }

    private mutating func look(at row: EntryRow) throws {
        guard let parent = try store.node(row.parent) else { return }
        if let id = row.node, try concerns(row, in: parent) { admit(id) }
        if let known = try store.entry(parent: row.parent, name: row.name), known.base < row.seq,
            let node = known.node, node != row.node
        {
            lost[node, default: []].insert(Key(row))
        }
    }

    private mutating func admit(_ id: NodeID) {
        var waiting = [id]
        while let id = waiting.popLast() {
            gained.insert(id)
            guard let row = unknown[id], admitted.insert(id).inserted, knowledge(of: row) == .whole else { continue }
            for below in namesBelow[id] ?? [] { if let child = below.node { waiting.append(child) } }
        }
    }

    /// Known nodes that have a name in a directory that is not known: the directory becomes known with that name, if all
    /// that is above it has been asked for.
    private mutating func place() throws {
        for rows in namesBelow.values {
            for row in rows where !admitted.contains(row.parent) {
                guard let id = row.node, try store.node(id) != nil else { continue }
                if supplement?.requested.contains(id) ?? false {
                    bringIn(row)
                } else {
                    needs.insert(id)
                }
            }
        }
    }

    /// The way from the root to the name, with all that lies in new directories on it.
    private mutating func bringIn(_ row: EntryRow) {
        forced.insert(Key(row))
        var waiting = [row.parent]
        while let id = waiting.popLast() {
            guard unknown[id] != nil, !admitted.contains(id) else { continue }
            admit(id)
            for above in supplement?.entries(of: id) ?? [] {
                forced.insert(Key(above))
                waiting.append(above.parent)
            }
        }
    }

    /// Known nodes that lose their last known name and live on somewhere: where, has to be asked.
    private mutating func findMovedAway() throws {
        for (id, keys) in lost where !gone.contains(id) && !gained.contains(id) && !needs.contains(id) {
            guard let node = try store.node(id), !node.isNew else { continue }
            let left = try store.entries(of: node.number).contains { name in
                !keys.contains { $0.parent == name.parentID && $0.name == name.name }
            }
            guard !left else { continue }
            needs.insert(id)
            if supplement?.requested.contains(id) ?? false {
                let names = supplement?.entries(of: id) ?? []
                if names.isEmpty { strays.insert(id) }
                for row in names { bringIn(row) }
            }
        }
    }

    /// Nodes that the server, asked for them, does not have any more.
    var ended: Set<NodeID> { strays }

    // MARK: Contents

    /// An unknown file came into the known part: its content may be older than what the rows tell.
    private mutating func checkContent(of id: NodeID) {
        guard let row = unknown[id], row.kind == .file, row.size > 0 else { return }
        let count = (row.size + ContentLimits.segmentBytes - 1) / ContentLimits.segmentBytes
        let known = stretches[id] ?? []
        if !(0..<count).allSatisfy(known.contains) { needs.insert(id) }
    }

    private mutating func checkBlocks(of row: SegmentRow) throws {
        guard try wants(row.node) else { return }
        for extent in row.extents {
            for block in [extent.block, bases[extent.block]].compactMap(\.self) where !blocks.contains(block) {
                if try store.blockNumber(block) == nil { needs.insert(row.node) }
            }
        }
    }
}

/// What was asked about single nodes, so that rows can be applied.
package struct PullSupplement: Sendable {
    package private(set) var requested: Set<NodeID>
    private(set) var page: ChangesPage
    private let namesOf: [NodeID: [EntryRow]]
    private let found: [NodeID: NodeRow]
    private let ended: Set<NodeID>
    private let segmentsOf: [NodeID: [SegmentRow]]

    package init(_ requested: Set<NodeID>, _ answers: [NodesPage]) {
        self.requested = requested
        page = ChangesPage(
            nodes: answers.flatMap(\.nodes).filter { !$0.deleted }, entries: answers.flatMap(\.entries),
            segments: answers.flatMap(\.segments),
            blocks: answers.flatMap(\.blocks), cursor: "", seq: answers.map(\.seq).max() ?? .zero, complete: true,
            quota: Quota(usedBytes: 0, limitBytes: nil))
        found = Dictionary(page.nodes.map { ($0.id, $0) }) { first, _ in first }
        segmentsOf = Dictionary(grouping: page.segments, by: \.node)
        ended = Set(answers.flatMap(\.nodes).filter(\.deleted).map(\.id))
        namesOf = Dictionary(grouping: page.entries.filter { $0.node != nil }) { $0.node ?? $0.parent }
    }

    /// Whether it was asked for and is not there.
    func isGone(_ id: NodeID) -> Bool { requested.contains(id) && found[id] == nil }
    /// Whether it was asked for, and the server knows that it was removed.
    func hasEnded(_ id: NodeID) -> Bool { ended.contains(id) }
    func row(of id: NodeID) -> NodeRow? { found[id] }
    func segments(of id: NodeID) -> [SegmentRow] { segmentsOf[id] ?? [] }

    package var seq: Seq { page.seq }

    func entries(of id: NodeID) -> [EntryRow] { namesOf[id] ?? [] }

    /// Whether it tells of the tree as it was at `seq`: else the rows up to its own have to come first.
    package func isTrue(at seq: Seq) -> Bool {
        if page.seq <= seq { return true }
        return page.entries.allSatisfy { $0.seq <= seq } && requested.allSatisfy { found[$0] != nil }
    }
}
