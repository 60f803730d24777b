import DbxModel
import DbxServerStores
import DbxWire

/// One commit while it is being applied: the rows it touches as they were and as they become, in memory. Nothing is
/// written before every rule holds.
///
/// Lives for one transaction, on its thread. Split by aspect: bases, blocks, content, tree, rows.
final class CommitDraft {
    let rows: any MetadataTransaction
    /// With `head` already at this commit's seq.
    let namespace: NamespaceRecord
    let request: CommitRequest
    let device: DeviceID
    let now: Timestamp

    /// A node as the transaction found it (nil where there was none) and as it becomes.
    struct DraftNode {
        let before: NodeRecord?
        var after: NodeRecord
        var isTouched = false

        var isNew: Bool { before == nil }
        var isLive: Bool { !after.deleted }
    }

    /// Nil: looked for and not there.
    private var loaded: [NodeID: DraftNode?] = [:]
    /// The entries that the commit changes, as they were.
    var entriesBefore: [EntryKey: EntryRecord?] = [:]
    /// What becomes of the segment rows, in order.
    var segmentEdits: [SegmentEdit] = []
    var revisions: [RevisionRecord] = []
    /// Plain lengths of the blocks that the extents may use.
    var plainBytes: [BlockID: Int64] = [:]
    var newBlocks: [NamespaceBlockRecord] = []
    /// The stored form of those of them that came with the commit.
    var bodies: [BlockID: [UInt8]] = [:]
    /// Bytes that came for blocks which the namespace has: wanted where the server has lost them.
    var returned: [(block: NamespaceBlockRecord, body: [UInt8])] = []
    var allocatedDelta: Int64 = 0

    /// Where the commit puts each node; a directory has one place.
    private(set) lazy var placements: [NodeID: EntryChange] = Dictionary(
        request.entries.compactMap { change in change.node.map { ($0, change) } }, uniquingKeysWith: { $1 })
    private(set) lazy var changesByParent = Dictionary(grouping: request.entries, by: \.parent)
    /// The changes that take a name from a node.
    var taking: [NodeID: [EntryChange]] = [:]
    private(set) lazy var changedKeys = Set(request.entries.map { EntryKey($0) })

    enum SegmentEdit {
        case end(node: NodeID, index: Int64)
        case endAll(node: NodeID)
        case insert(SegmentRecord)
    }

    init(
        _ commit: SubmittedCommit, namespace: NamespaceRecord, rows: any MetadataTransaction, now: Timestamp
    ) {
        self.rows = rows
        self.namespace = namespace
        self.now = now
        request = commit.request
        device = commit.caller.device
    }

    var seq: Seq { namespace.head }

    /// The node as it stands in the draft.
    func node(_ id: NodeID) throws -> DraftNode? {
        if let known = loaded[id] { return known }
        let node = try rows.node(id, in: namespace.id).map { DraftNode(before: $0, after: $0) }
        loaded.updateValue(node, forKey: id)
        return node
    }

    /// Changes a node that is there and gives its row this commit's seq.
    func touch(_ id: NodeID, _ change: (inout NodeRecord) -> Void = { _ in }) throws {
        guard var node = try node(id) else { return }
        change(&node.after)
        node.after.seq = seq
        node.after.commit = request.id
        node.isTouched = true
        loaded.updateValue(node, forKey: id)
    }

    /// Changes what does not show in the row (the count of links), so that its seq stays.
    func adjust(_ id: NodeID, _ change: (inout NodeRecord) -> Void) throws {
        guard var node = try node(id) else { return }
        change(&node.after)
        loaded.updateValue(node, forKey: id)
    }

    func create(_ record: NodeRecord) {
        loaded.updateValue(DraftNode(before: nil, after: record, isTouched: true), forKey: record.id)
    }

    /// Those that have to be written, in order of id.
    var changedNodes: [DraftNode] {
        loaded.values.compactMap { $0 }.filter { $0.isTouched || $0.before != $0.after }
            .sorted { $0.after.id < $1.after.id }
    }

    func entryBefore(_ key: EntryKey) throws -> EntryRecord? {
        if let known = entriesBefore[key] { return known }
        let entry = try rows.entry(parent: key.parent, name: key.name, in: namespace.id)
        entriesBefore.updateValue(entry, forKey: key)
        return entry
    }

    static func invalidTree(
        _ detail: String, nodes: [NodeRecord] = [], entries: [EntryRecord] = []
    ) -> Problem {
        Problem(
            kind: .invalidTree, detail: detail, nodes: nodes.isEmpty ? nil : nodes.map(NodeRow.init),
            entries: entries.isEmpty ? nil : entries.map(EntryRow.init))
    }
}
