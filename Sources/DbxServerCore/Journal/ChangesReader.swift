import DbxModel
import DbxServerStores
import DbxWire

/// Reads pages of a namespace's journal in one snapshot.
struct ChangesReader {
    let rows: any MetadataTransaction
    let namespace: NamespaceRecord
    let signer: Signer

    /// The rows behind `text` (from the beginning when nil), at most `limit` unless one seq has more.
    func page(after text: String?, limit: Int) throws -> ChangesPage {
        let cursor = try text.map(checked) ?? beginning
        let end = try endOfPage(after: cursor.seq, limit: limit)
        let entries = try rows.entries(in: namespace.id, after: cursor.seq, through: end)
            .filter { $0.node != nil || $0.seq > cursor.tombstonesAfter }
        let nodes = try rows.nodes(in: namespace.id, after: cursor.seq, through: end)
            .filter { !$0.deleted || $0.seq > cursor.tombstonesAfter }
        let segments = try rows.currentSegments(in: namespace.id, after: cursor.seq, through: end)
            .filter { !$0.extents.isEmpty || $0.from > cursor.tombstonesAfter }
        let blocks = try rows.namespaceBlocks(in: namespace.id, after: cursor.seq, through: end)
        var next = cursor
        next.seq = end
        if end > next.known { (next.known, next.chain) = (end, try check.chain(at: end)) }
        return ChangesPage(
            nodes: try (nodes + missingNodes(of: entries, beside: nodes)).sorted { $0.seq < $1.seq }.map(NodeRow.init),
            entries: entries.map(EntryRow.init), segments: segments.map(SegmentRow.init),
            blocks: blocks.map(BlockRow.init), cursor: next.text(signer), seq: end, complete: end == namespace.head,
            quota: Quota(namespace))
    }

    private var beginning: Cursor {
        Cursor(
            namespace: namespace.id, epoch: namespace.epoch, seq: .zero, known: .zero,
            chain: CommitChain.start, tombstonesAfter: namespace.head)
    }

    private var check: CursorCheck { CursorCheck(rows: rows, namespace: namespace, signer: signer) }

    func checked(_ text: String) throws -> Cursor { try check.start(text) }

    /// The last seq of the page: no seq is split over two.
    private func endOfPage(after seq: Seq, limit: Int) throws -> Seq {
        let seqs = try rows.rowSeqs(in: namespace.id, after: seq, limit: limit + 1)
        guard seqs.count > limit, let first = seqs.first, let overflowing = seqs.last else { return namespace.head }
        return max(first, Seq(overflowing.value - 1))
    }

    /// An entry always brings its node, which may have changed last at another seq.
    private func missingNodes(of entries: [EntryRecord], beside nodes: [NodeRecord]) throws -> [NodeRecord] {
        let known = Set(nodes.map(\.id))
        let wanted = Set(entries.compactMap(\.node)).subtracting(known)
        return try wanted.sorted().compactMap { try rows.node($0, in: namespace.id) }
    }
}
