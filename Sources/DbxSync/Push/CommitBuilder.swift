import DbxContent
import DbxLocalStore
import DbxModel
import DbxWire

/// Collects rows for one commit so that it is closed under dependencies (DESIGN §5.3): whatever a row needs on the
/// server to be valid there comes with it. The rules:
///
/// - an entry needs its parent, and a new node its attributes and content;
/// - a new node needs all its names, a node that lost a name here needs the names it has now (else it would die there);
/// - a node that came to a name needs to leave its old ones (else it would show twice);
/// - a directory that moved needs the moves of its new ancestors (else a cycle could stand there for a moment);
/// - a directory that is gone needs everything that left it.
///
/// A name whose new file still waits for its content is left out, and says what held before: gone if its old node has
/// moved on within this commit, else unchanged.
struct CommitBuilder {
    let store: LocalStore
    let context: PushContext
    private let now: Timestamp
    /// Files whose newer content is known and not applied yet.
    let deferred: Set<NodeID>
    /// Whether something stands in a directory that is known in part only, under a name that is not.
    let hasBlindNames: Bool
    /// Whether directories are to be compared with the server's again.
    let hasStaleDirectories: Bool

    private(set) var nodes: [NodeID: NodeChange] = [:]
    private(set) var entries: [EntryKey: EntryChange] = [:]
    private(set) var covered = CoveredRows()
    /// Order of arrival, so that the same state always gives the same commit.
    private var nodeOrder: [NodeID] = []
    private var entryOrder: [EntryKey] = []

    struct EntryKey: Hashable {
        var parent: NodeID
        var name: Name
    }

    init(store: LocalStore, context: PushContext, now: Timestamp, rowLimit: Int) throws {
        deferred = Set(try store.deferredNodes())
        hasBlindNames = try !store.directoriesWithBlindNames(limit: 1).isEmpty
        hasStaleDirectories = try !store.staleDirectories(limit: 1).isEmpty
        self.rowLimit = rowLimit
        self.store = store
        self.context = context
        self.now = now
    }

    var rowCount: Int { nodeOrder.count + entryOrder.count }
    var isEmpty: Bool { rowCount == 0 }
    /// Beyond this nothing more is added: the commit could not be sent anyway.
    private let rowLimit: Int
    var isOverfull: Bool { rowCount > rowLimit || bodyBytes > Self.hardBodyLimit || needsTooMuch }
    /// Whether the commit is large enough as it is, for the blocks that travel in it.
    var isHeavy: Bool { bodyBytes > Self.hardBodyLimit / 2 }
    /// Bytes of blocks that travel in the commit.
    private var bodyBytes = 0
    private static let hardBodyLimit = 8 << 20
    /// Rows that need more than there is room for: nothing that needs them is tried once more.
    private var tooMuch: Set<Row> = []
    private var needsTooMuch = false
    /// Whether something was left out because of how much it needs.
    var hasTooMuch: Bool { !tooMuch.isEmpty }

    private enum Row: Hashable {
        case node(NodeID)
        case entry(EntryKey)
    }

    /// A state to go back to when what a row depends on turns out to be too much for one commit.
    struct Mark {
        fileprivate var nodes: Int
        fileprivate var entries: Int
        fileprivate var bodyBytes: Int
    }

    var mark: Mark { Mark(nodes: nodeOrder.count, entries: entryOrder.count, bodyBytes: bodyBytes) }

    mutating func rollBack(to mark: Mark) {
        for id in nodeOrder[mark.nodes...] { nodes[id] = nil }
        for key in entryOrder[mark.entries...] { entries[key] = nil }
        nodeOrder.removeSubrange(mark.nodes...)
        entryOrder.removeSubrange(mark.entries...)
        covered.nodes.removeSubrange(mark.nodes...)
        covered.entries.removeSubrange(mark.entries...)
        bodyBytes = mark.bodyBytes
        needsTooMuch = false
    }

    /// Adds a row with what it needs. Where that overfills the commit although there was room for more to pick, so it would
    /// the next time: a row that many others need, as a new directory in the place of a large one, costs its work once.
    private mutating func collect(_ row: Row, _ body: (inout Self) throws -> Void) throws {
        guard !tooMuch.contains(row) else { return needsTooMuch = true }
        let before = mark
        try body(&self)
        guard isOverfull else { return }
        let hadRoom = before.nodes + before.entries < context.rowLimit && before.bodyBytes <= Self.hardBodyLimit / 2
        if needsTooMuch || hadRoom { tooMuch.insert(row) }
    }

    // MARK: Nodes

    /// Adds what is ready of a dirty node and, when it is new, all its names.
    mutating func add(_ node: LocalNode) throws {
        guard !isOverfull, nodes[node.id] == nil, !node.isLocalOnly, try !isHeld(node) else { return }
        guard mayGoNow(node) else { return }
        try collect(.node(node.id)) { builder in
            if node.isNew {
                try builder.addNew(node)
            } else {
                try builder.addChanged(node)
            }
        }
    }

    /// Whether a new node can go up now: everything but a file's content is always there.
    func isSendable(_ node: LocalNode) throws -> Bool {
        if try node.isLocalOnly || isHeld(node) { return false }
        return node.kind != .file || context.uploaded[node.number] != nil || (node.size == 0 && isQuiet(node))
    }

    private func isQuiet(_ node: LocalNode) -> Bool { Readiness.of(node, in: context, now: now) == .ready }

    private mutating func addNew(_ node: LocalNode) throws {
        guard !node.isOrphan, try isSendable(node) else { return }
        let names = try store.entries(of: node.number).filter { try $0.dirty && !$0.isLocalOnly && !isHeldBack($0) }
        guard !names.isEmpty, try names.allSatisfy({ try mayGoNow($0) && !isInFlight($0) }) else { return }
        let takesName = names.contains { $0.baseNode != nil }
        let content = node.kind == .file ? try contentChange(of: node, takesName: takesName) : nil
        insert(
            node,
            NodeChange(id: node.id, kind: node.kind, attributes: attributesChange(of: node), content: content))
        for entry in names { try add(entry) }
    }

    private mutating func addChanged(_ node: LocalNode) throws {
        guard try isCompared(node) else { return }
        let hasContent = node.contentDirty && context.uploaded[node.number] != nil
        guard node.attributesDirty || hasContent else { return }
        insert(
            node,
            NodeChange(
                id: node.id, kind: node.kind, attributes: node.attributesDirty ? attributesChange(of: node) : nil,
                content: hasContent ? try contentChange(of: node, takesName: false) : nil))
    }

    private mutating func insert(_ node: LocalNode, _ change: NodeChange) {
        nodes[node.id] = change
        nodeOrder.append(node.id)
        if change.content != nil, let blocks = context.uploaded[node.number]?.blocks {
            bodyBytes += blocks.reduce(0) { $0 + ($1.body?.bytes.count ?? 0) }
        }
        covered.nodes.append(
            CoveredRows.Node(
                id: node.id, change: node.change, contentChange: node.contentChange,
                attributes: change.attributes?.state,
                content: change.content == nil ? nil : context.uploaded[node.number]?.snapshot,
                movedRows: movedRows(of: node, change)))
    }

    private func movedRows(of node: LocalNode, _ change: NodeChange) -> [CoveredRows.Row]? {
        let moved = Set(change.content?.segments.filter { $0.base?.moves != nil }.map(\.index) ?? [])
        guard !moved.isEmpty, let uploaded = context.uploaded[node.number] else { return nil }
        return uploaded.segments.filter { moved.contains($0.index) }.map {
            CoveredRows.Row(index: $0.index, extents: $0.extents)
        }
    }

    private func attributesChange(of node: LocalNode) -> AttributesChange {
        AttributesChange(base: node.attributesSeq, state: node.attributes, target: node.target.map(Base64.init))
    }

    /// `takesName`: of a new file, whether the server has something else under a name of it.
    private func contentChange(of node: LocalNode, takesName: Bool) throws -> ContentChange {
        guard let uploaded = context.uploaded[node.number] else {
            return ContentChange(
                base: node.contentSeq, size: node.size, mtime: node.attributes.mtime, ctime: node.attributes.ctime,
                segments: [])
        }
        let snapshot = uploaded.snapshot
        // Times that were set since are newer than those of the last write.
        let isLast = node.contentChange == snapshot.contentChange
        return ContentChange(
            base: snapshot.contentBase, size: snapshot.size,
            mtime: isLast ? node.attributes.mtime : snapshot.mtime,
            ctime: isLast ? node.attributes.ctime : snapshot.ctime,
            contentHash: uploaded.contentHash.map(Base64.init),
            segments: snapshot.contentBase == .zero && !takesName
                ? uploaded.segments : try uploaded.segments.map { try edit($0, of: node, base: snapshot.contentBase) })
    }

    /// The change of a segment in as few words as the server's row allows.
    private func edit(_ segment: SegmentChange, of node: LocalNode, base: Seq) throws -> SegmentChange {
        guard !context.sendsWholeRows else { return segment }
        if base == .zero {
            guard let old = try store.replacedFile(node.number) else { return segment }
            return SegmentChange(
                index: segment.index, from: [], to: segment.extents,
                source: try around(segment.index, of: old.number), node: old.id)
        }
        guard node.contentSeq == base else { return segment }
        let agreed = try store.agreedRow(node.number, index: segment.index)
        return SegmentChange(
            index: segment.index, from: agreed, to: segment.extents, source: try around(segment.index, of: node.number))
    }

    /// What the server has in a segment and in those beside it.
    private func around(_ index: Int64, of number: InodeNumber) throws -> ExtentList {
        try ExtentList(
            validating: (max(0, index - 1)...index + 1).flatMap { try store.agreedRow(number, index: $0) })
    }

    // MARK: Entries

    /// Adds a dirty entry with everything it depends on; a clean one is already there.
    mutating func add(_ entry: LocalEntry) throws {
        let key = EntryKey(parent: entry.parentID, name: entry.name)
        guard !isOverfull, entry.dirty, !entry.isLocalOnly, entries[key] == nil, try !isHeldBack(entry) else { return }
        if context.inFlight?.entries.contains(key) ?? false { return }
        guard try mayGoNow(entry) else { return needsTooMuch = true }
        try collect(.entry(key)) { builder in try builder.addChanged(entry, key) }
    }

    private mutating func addChanged(_ entry: LocalEntry, _ key: EntryKey) throws {
        guard let nodeID = entry.node else { return try addRemoval(entry) }
        if let local = try store.node(nodeID), local.isLocalOnly {
            // What the server has under the name goes; what is here is none of its business.
            return entry.baseNode == nil ? () : try addRemoval(entry)
        }
        guard let node = try store.node(nodeID), try !node.isNew || isSendable(node) else {
            return try addWaiting(entry)
        }
        try insert(entry, key: key, node: nodeID)
        try addParent(of: entry)
        if node.isNew { try add(node) }
        if node.kind == .directory { try addAncestors(of: entry) }
        // The server has no name of what is new.
        if !node.isNew { for old in try store.dirtyEntries(baseNode: nodeID) { try add(old) } }
        try addDisplaced(entry)
    }

    private mutating func addRemoval(_ entry: LocalEntry) throws {
        try insert(entry, key: EntryKey(parent: entry.parentID, name: entry.name), node: nil)
        try addParent(of: entry)
        try addDisplaced(entry)
    }

    /// The name's new file waits for content. If the node that held the name has moved on, and its move is part of this
    /// commit, the name is free until then.
    private mutating func addWaiting(_ entry: LocalEntry) throws {
        guard let base = entry.baseNode, base != entry.node, let old = try store.node(base), !old.isOrphan else {
            return
        }
        let moved = try store.entries(of: old.number).contains {
            entries[EntryKey(parent: $0.parentID, name: $0.name)] != nil
        }
        guard moved else { return }
        try insert(entry, key: EntryKey(parent: entry.parentID, name: entry.name), node: nil)
    }

    private mutating func insert(_ entry: LocalEntry, key: EntryKey, node: NodeID?) throws {
        let left = try fileLeft(by: entry)
        entries[key] = EntryChange(
            parent: entry.parentID, name: entry.name, base: entry.base, node: node,
            lastContent: try left.flatMap { try lastContent(of: $0, leftBy: entry) },
            hasOtherName: try left.map { try hasKnownName($0) } ?? false)
        entryOrder.append(key)
        covered.entries.append(
            CoveredRows.Entry(
                parent: entry.parentID, name: Base64(entry.name.bytes), change: entry.change, sent: node))
    }

    /// What the name led to on the server, unless it was a directory.
    private func fileLeft(by entry: LocalEntry) throws -> LocalNode? {
        guard let base = entry.baseNode, base != entry.node, let old = try store.node(base), old.kind != .directory
        else {
            return nil
        }
        return old
    }

    /// Whether the server has, as far as is known here, another name of it, which is to stay.
    private func hasKnownName(_ file: LocalNode) throws -> Bool {
        try store.entries(of: file.number).contains { !$0.dirty }
    }

    /// What the file held when we last saw it. While it has another name here, and its content came after this one was taken
    /// from it, that was not seen.
    private func lastContent(of file: LocalNode, leftBy entry: LocalEntry) throws -> Seq? {
        guard file.kind == .file else { return nil }
        let cameLater = entry.parted.map { $0 < file.contentChange } ?? false
        guard try cameLater && store.entries(of: file.number).contains(where: { !$0.isLocalOnly }) else {
            return file.contentSeq
        }
        return Seq(file.contentSeq.value - 1)
    }

    private mutating func addParent(of entry: LocalEntry) throws {
        guard let parent = try store.node(entry.parentID), parent.isNew, !isInFlight(parent.id) else { return }
        try add(parent)
    }

    /// What held the name before: where it lives now, or, if it was a directory and is gone, all that left it.
    private mutating func addDisplaced(_ entry: LocalEntry) throws {
        guard let base = entry.baseNode, base != entry.node, let old = try store.node(base) else { return }
        if old.isOrphan {
            for left in try store.dirtyEntries(under: old.number) { try add(left) }
        } else {
            for name in try store.entries(of: old.number) { try add(name) }
        }
    }

    /// The dirty names on the way from the entry's parent up to the root.
    private mutating func addAncestors(of entry: LocalEntry) throws {
        var number = entry.parent
        while let above = try store.entries(of: number).first {
            try add(above)
            number = above.parent
        }
    }

    // MARK: Result

    func request(id: CommitID) throws -> CommitRequest {
        let directories = Set(entryOrder.map(\.parent)).sorted()
        let times = try directories.compactMap { directory -> DirectoryTime? in
            guard let node = try store.node(directory), !node.isOrphan else { return nil }
            return DirectoryTime(node: directory, mtime: node.attributes.mtime, explicit: node.mtimeIsExplicit)
        }
        return CommitRequest(
            id: id, cursor: try store.meta(SyncMeta.cursor).map { String(decoding: $0, as: UTF8.self) },
            nodes: nodeOrder.compactMap { nodes[$0] }, entries: entryOrder.compactMap { entries[$0] },
            directoryTimes: times, blocks: try blocks())
    }

    /// The blocks of all contents in the commit, each once, but for those that the server has in what is replaced.
    private func blocks() throws -> [CommittedBlock] {
        var known: [BlockID: CommittedBlock] = [:]
        for id in nodeOrder where nodes[id]?.content != nil {
            guard let node = try store.node(id), let uploaded = context.uploaded[node.number] else { continue }
            let standing = try standingBlocks(of: uploaded)
            for block in uploaded.blocks where block.body != nil || !standing.contains(block.id) {
                known[block.id] = block
            }
        }
        return known.values.sorted { $0.id < $1.id }
    }

    /// Of what a content replaces.
    private func standingBlocks(of uploaded: UploadedContent) throws -> Set<BlockID> {
        guard !context.sendsWholeRows, uploaded.blocks.contains(where: { $0.body == nil }) else { return [] }
        return Set(try store.replacedContent(uploaded.snapshot).lazy.map(\.block))
    }
}
