import DbxModel
import DbxServerStores
import DbxWire

/// Parts of the tree as they are now, with a cursor that stands there.
extension ChangesReader {
    /// So many segments, extents and blocks for each entry of the limit, and the page ends early.
    private static let contentPerEntry = 4

    func listing(of node: NodeID, after last: Name?, limit: Int, content: Bool) throws -> ListingPage {
        guard let directory = try rows.node(node, in: namespace.id), !directory.deleted, directory.kind == .directory
        else { throw Problem(kind: .notFound, detail: "There is no such directory.") }
        let found = try rows.listing(of: node, after: last, limit: limit + 1, in: namespace.id)
        var page = ListingPage(entries: [], nodes: [], next: nil, seq: namespace.head, cursor: cursorAtHead)
        var gathered = ContentRows()
        for (entry, child) in found.prefix(limit) {
            page.entries.append(EntryRow(entry))
            guard let child else { continue }
            page.nodes.append(NodeRow(child))
            guard content else { continue }
            try gather(child, into: &gathered)
            if gathered.count >= limit * Self.contentPerEntry { break }
        }
        if page.entries.count < found.count { page.next = page.entries.last.map { Base64URL.encode($0.name.bytes) } }
        page.segments = gathered.segments
        page.blocks = gathered.blocks
        return page
    }

    func nodes(_ ids: [NodeID]) throws -> NodesPage {
        var page = NodesPage(nodes: [], entries: [], segments: [], blocks: [], seq: namespace.head)
        var gathered = ContentRows()
        var seen: Set<NodeID> = []
        var waiting = Array(ids.reversed())
        while let id = waiting.popLast() {
            guard seen.insert(id).inserted, let node = try rows.node(id, in: namespace.id) else { continue }
            page.nodes.append(NodeRow(node))
            if node.deleted { continue }
            try gather(node, into: &gathered)
            for entry in try rows.entries(of: id, in: namespace.id) {
                page.entries.append(EntryRow(entry))
                waiting.append(entry.parent)
            }
        }
        page.segments = gathered.segments
        page.blocks = gathered.blocks
        return page
    }

    private var cursorAtHead: String {
        Cursor(
            namespace: namespace.id, epoch: namespace.epoch, seq: namespace.head, known: namespace.head,
            chain: namespace.chain, tombstonesAfter: .zero
        ).text(signer)
    }

    private struct ContentRows {
        var segments: [SegmentRow] = []
        var blocks: [BlockRow] = []
        var extents = 0
        var known: Set<BlockID> = []

        var count: Int { segments.count + extents + blocks.count }
    }

    private func gather(_ node: NodeRecord, into gathered: inout ContentRows) throws {
        guard node.kind == .file, node.size > 0 else { return }
        for segment in try rows.currentSegments(of: node.id, from: 0, in: namespace.id) where !segment.extents.isEmpty {
            gathered.segments.append(SegmentRow(segment))
            gathered.extents += segment.extents.count
            for extent in segment.extents { try gather(extent.block, into: &gathered) }
        }
    }

    /// With the block that it is encoded against.
    private func gather(_ id: BlockID, into gathered: inout ContentRows) throws {
        guard gathered.known.insert(id).inserted, let block = try rows.namespaceBlock(id, in: namespace.id) else {
            return
        }
        gathered.blocks.append(BlockRow(block))
        if let base = block.base { try gather(base, into: &gathered) }
    }
}
