import DbxModel
import DbxServerStores
import DbxWire

/// Whether what the commit was based on still stands.
extension CommitDraft {
    /// As many rows are told of that are not as the commit thinks: whoever gets them pulls, and tries again.
    private static let shownRows = 500

    /// Collects rows that are not as the commit thinks; throws `conflict` with them.
    func checkBases() throws {
        var nodes: [NodeID: NodeRow] = [:]
        var entries: [EntryRow] = []
        var isEnough: Bool { nodes.count + entries.count >= Self.shownRows }
        for change in request.nodes where !isEnough {
            if let current = try mismatch(change) { nodes[change.id] = current }
        }
        for change in request.entries where !isEnough {
            let current = try entryBefore(EntryKey(change))
            if !stands(change.base, current) {
                entries.append(current.map(EntryRow.init) ?? .absent(change))
                if let id = current?.node, let node = try node(id)?.before { nodes[id] = NodeRow(node) }
            }
            for gone in try deletedMeanwhile(change) { nodes[gone.id] = NodeRow(gone) }
        }
        guard nodes.isEmpty, entries.isEmpty else {
            throw Problem(
                kind: .conflict, detail: "What the change was based on has changed meanwhile.",
                nodes: nodes.values.sorted { $0.id < $1.id }, entries: entries)
        }
    }

    /// Whether an entry is as the commit thinks. Who began to list after an entry had gone was never told of its
    /// tombstone: for them there is no row, and so a base of 0 stands.
    private func stands(_ base: Seq, _ current: EntryRecord?) -> Bool {
        guard let current else { return base == .zero }
        return base == current.seq || (base == .zero && current.node == nil)
    }

    /// The current row where the change's bases are not its seqs.
    private func mismatch(_ change: NodeChange) throws -> NodeRow? {
        guard let current = try node(change.id)?.before else {
            let isNew = change.attributes?.base ?? .zero == .zero && change.content?.base ?? .zero == .zero
            // After a restore a client may name rows that the server lost.
            return isNew ? nil : .absent(change)
        }
        if current.deleted { return NodeRow(current) }
        if let base = change.attributes?.base, base != current.attributesSeq { return NodeRow(current) }
        if let base = change.content?.base, base != current.contentSeq { return NodeRow(current) }
        guard change.kind == current.kind else {
            throw Problem.badRequest("Node \(change.id) is a \(current.kind.rawValue); a node's kind never changes.")
        }
        return nil
    }

    /// The parent and node of an entry that others have deleted since.
    private func deletedMeanwhile(_ change: EntryChange) throws -> [NodeRecord] {
        guard change.node != nil else { return [] }
        return try [change.parent, change.node].compactMap { id in
            try id.flatMap { try node($0)?.before }.flatMap { $0.deleted ? $0 : nil }
        }
    }
}

extension NodeRow {
    /// The row of a node that the server does not know: a tombstone without a past.
    fileprivate static func absent(_ change: NodeChange) -> NodeRow {
        let epoch = Timestamp(nanoseconds: 0)
        return NodeRow(
            id: change.id, seq: .zero, commit: nil, deleted: true, kind: change.kind,
            attributes: NodeAttributes(mode: 0, mtime: epoch, ctime: epoch, birthTime: epoch), attributesSeq: .zero,
            contentSeq: .zero, target: change.kind == .symlink ? [] : nil)
    }
}

extension EntryRow {
    fileprivate static func absent(_ change: EntryChange) -> EntryRow {
        EntryRow(parent: change.parent, name: change.name, node: nil, seq: .zero, commit: nil)
    }
}
