import DbxLocalStore
package import DbxModel
package import DbxWire

/// Rows for which a commit was refused and of which no pull tells any more: the server's stand before this client's cursor,
/// so what is known here is not what it has. As after a listing, which has no tombstones, and after the server's data were
/// put back to an older state.
package struct RefusedRows: Hashable, Sendable {
    /// What the server has of them has to be asked.
    package var nodes: Set<NodeID>
    package private(set) var entries: [EntryRow]

    /// Of a conflict; nil where a pull will bring all of it.
    package init?(_ problem: Problem, upTo position: Seq) {
        let nodes = (problem.nodes ?? []).filter { $0.seq <= position }
        entries = (problem.entries ?? []).filter { $0.seq <= position }
        guard !nodes.isEmpty || !entries.isEmpty else { return nil }
        self.nodes = Set(nodes.map(\.id)).union(entries.flatMap { [$0.parent, $0.node].compactMap(\.self) })
    }

    /// All of a commit that would break the tree.
    package init(_ request: CommitRequest) {
        nodes = Set(request.nodes.map(\.id))
            .union(request.entries.flatMap { [$0.parent, $0.node].compactMap(\.self) })
        entries = []
    }

    package mutating func add(_ other: RefusedRows) {
        nodes.formUnion(other.nodes)
        entries += other.entries
    }

    /// Rows that the server does not have at all tell nothing of themselves.
    var page: ChangesPage {
        ChangesPage(
            nodes: [], entries: entries.filter { $0.seq > .zero }, segments: [], blocks: [], cursor: "", seq: .zero,
            complete: true, quota: Quota(usedBytes: 0, limitBytes: nil))
    }
}

extension PullApplier {
    /// What was agreed here and is not so. Before the rows are applied.
    mutating func correct(_ refused: RefusedRows, _ supplement: PullSupplement) throws {
        for row in refused.entries where row.seq == .zero {
            let local = try store.entry(parent: row.parent, name: row.name)
            if let local, local.base != .zero { try store.rebaseOnNothing(local) }
        }
        for id in refused.nodes {
            for row in supplement.entries(of: id) { try correct(row) }
            guard supplement.isGone(id), let node = try store.node(id) else { continue }
            // Whatever is offered under the name of something that was removed is to be born anew.
            if !node.isNew || supplement.hasEnded(id) { try postpone(endOf: id) }
        }
    }

    /// The server has the node under the name, and did when something else was agreed there. A directory that has it here
    /// too has no other.
    private mutating func correct(_ row: EntryRow) throws {
        guard let id = row.node, let local = try store.entry(parent: row.parent, name: row.name) else { return }
        if local.node == id, let node = try store.node(id), node.kind == .directory {
            try leaveOtherParents(node, for: row)
        }
        // What nobody removed here is no part of a directory that was.
        if !local.dirty, let parent = try store.node(row.parent), parent.isOrphan { try bringBack(parent) }
        guard local.dirty, local.base >= row.seq, local.baseNode != id else { return }
        try store.rebaseEntry(parent: row.parent, name: row.name, base: row.seq, baseNode: id)
    }

    /// Names that refused files have here and not on the server, and of which no page tells: as in a folder that has to be
    /// listed anew.
    mutating func forgetMissing(
        _ refused: RefusedRows, _ supplement: PullSupplement, at seq: Seq,
        besides pages: ((ChangesPage) throws -> Void) throws -> Void
    ) throws {
        var missing: [LocalEntry] = []
        for id in refused.nodes where !supplement.isGone(id) {
            guard let node = try store.node(id), node.kind != .directory, !node.isNew else { continue }
            let there = supplement.entries(of: id)
            missing += try store.entries(of: node.number).filter { entry in
                !entry.dirty && !there.contains { $0.parent == entry.parentID && $0.name == entry.name }
            }
        }
        guard !missing.isEmpty else { return }
        try pages { page in
            missing.removeAll { entry in
                page.entries.contains { $0.parent == entry.parentID && $0.name == entry.name }
            }
        }
        isListing = true
        defer { isListing = false }
        for entry in missing {
            let row = EntryRow(parent: entry.parentID, name: entry.name, node: nil, seq: seq, commit: nil)
            _ = try finish(row, evenIfFull: false)
        }
    }

    /// Where one name was not as it was known, others may not be either.
    func compareAnew(_ refused: RefusedRows) throws {
        for id in Set(refused.entries.map(\.parent)) {
            guard let parent = try store.node(id), !parent.isNew, !parent.isOrphan, parent.knowledge == .whole else {
                continue
            }
            try store.setKnowledge(of: parent.number, .stale)
        }
    }
}
