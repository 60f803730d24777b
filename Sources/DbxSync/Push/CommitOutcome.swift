import DbxContent
package import DbxLocalStore
import DbxModel
package import DbxWire

/// What an answered commit means for the local rows: they now stand at `seq`, and what changed here meanwhile stays dirty on
/// that base. With the store's lock held.
///
/// Rows are settled a few at a time, so that nobody waits for all of them; how many are is kept with each step, so that
/// none is settled twice when the process ends in between and the answer comes once more. Nothing else of sync runs before
/// the last step, which forgets the commit.
package struct CommitOutcome {
    private static let meta = "accepted"

    private let id: CommitID
    private let cursors: (before: String?, after: String?)
    private let covered: CoveredRows
    private let blocks: [AgreedBlock]
    private let changes: [NodeID: NodeChange]
    private let seq: Seq
    private let rowsAtOnce: Int

    package init(
        of request: CommitRequest, _ covered: CoveredRows, answer: CommitResult, rowsAtOnce: Int = 64
    ) {
        id = request.id
        cursors = (request.cursor, answer.cursor)
        self.covered = covered
        seq = answer.seq
        self.rowsAtOnce = rowsAtOnce
        blocks = request.blocks.map { AgreedBlock(id: $0.id, wrap: $0.wrap) }
        changes = Dictionary(request.nodes.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Settles some rows, in one operation of the store. Whether any are left; with the last of them the commit is gone.
    package func step(_ store: LocalStore) throws -> Bool {
        try store.transaction {
            let first = try done(store)
            let end = min(first + rowsAtOnce, count)
            for row in first..<end { try accept(row, store) }
            if end < count {
                try store.setMeta(Self.meta, id.bytes + Int64(end).bigEndianBytes)
                return true
            }
            try store.setMeta(Self.meta, nil)
            try SyncMeta.advance(cursors.before, to: cursors.after, knowing: seq, in: store)
            try store.removeCommit(id)
            return false
        }
    }

    /// How many rows of this commit are settled.
    private func done(_ store: LocalStore) throws -> Int {
        guard let kept = try store.meta(Self.meta), kept.starts(with: id.bytes) else { return 0 }
        return min(Int(clamping: kept.dropFirst(id.bytes.count).bigEndianValue), count)
    }

    private var count: Int { blocks.count + covered.nodes.count + covered.entries.count }

    /// Blocks come first, for contents name them, and nodes before the names that lead to them.
    private func accept(_ row: Int, _ store: LocalStore) throws {
        if row < blocks.count { return try store.putBlocks([blocks[row]]) }
        let index = row - blocks.count
        guard index < covered.nodes.count else {
            return try Self.accept(covered.entries[index - covered.nodes.count], seq: seq, store: store)
        }
        let node = covered.nodes[index]
        if let change = changes[node.id] { try Self.accept(node, change: change, seq: seq, store: store) }
    }

    private static func accept(
        _ node: CoveredRows.Node, change: NodeChange, seq: Seq, store: LocalStore
    ) throws {
        var content = change.content.map { _ in
            SentNode.Content(
                change: node.content?.contentChange ?? node.contentChange, snapshot: node.content, stretches: [])
        }
        if let sent = change.content, let snapshot = node.content {
            let moved = Dictionary((node.movedRows ?? []).map { ($0.index, $0.extents) }, uniquingKeysWith: { $1 })
            content?.stretches = try sent.segments.map { segment in
                if let extents = moved[segment.index] { return (index: segment.index, extents: extents) }
                let agreed = segment.base == nil ? [] : try store.agreedRow(snapshot.number, index: segment.index)
                return (index: segment.index, extents: try segment.row(from: agreed))
            }
        }
        try store.settle(
            SentNode(id: node.id, change: node.change, attributes: node.attributes, content: content), at: seq)
    }

    private static func accept(_ entry: CoveredRows.Entry, seq: Seq, store: LocalStore) throws {
        guard let name = Name(entry.name.bytes) else { return }
        try store.settle(name, in: entry.parent, sent: entry.sent, change: entry.change, at: seq)
    }
}
