import DbxContent
package import DbxLocalStore
package import DbxModel
package import DbxWire

/// What an answered commit means for the local rows. Runs in one transaction of the store, with its lock held.
package enum CommitOutcome {
    /// The server took the commit: its rows now stand at `seq`. What changed here meanwhile stays dirty on that base.
    package static func accept(_ covered: CoveredRows, request: CommitRequest, seq: Seq, store: LocalStore) throws {
        try store.transaction {
            try store.putBlocks(request.blocks.map { AgreedBlock(id: $0.id, wrap: $0.wrap) })
            let changes = Dictionary(request.nodes.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            for node in covered.nodes {
                guard let change = changes[node.id] else { continue }
                try accept(node, change: change, seq: seq, store: store)
            }
            for entry in covered.entries { try accept(entry, seq: seq, store: store) }
        }
    }

    private static func accept(
        _ node: CoveredRows.Node, change: NodeChange, seq: Seq, store: LocalStore
    ) throws {
        if let content = change.content, let snapshot = node.content {
            let rows = try content.segments.map { segment in
                let agreed = segment.base == nil ? [] : try store.agreedRow(snapshot.number, index: segment.index)
                return (index: segment.index, extents: try segment.row(from: agreed))
            }
            try store.replaceUploaded(snapshot, stretches: rows)
        }
        // An earlier commit of somebody else may not have been seen yet: the row's own seq moves only when pulled.
        let isNew = try store.node(node.id)?.isNew ?? false
        try store.rebaseNode(
            node.id, seq: isNew ? seq : nil, attributesSeq: node.attributes == nil ? nil : seq,
            contentSeq: change.content == nil ? nil : seq, baseAttributes: node.attributes)
        try store.clearDirty(
            node: node.id, attributesIfChange: node.attributes == nil ? nil : node.change,
            contentIfChange: change.content == nil ? nil : node.content?.contentChange ?? node.contentChange)
    }

    private static func accept(_ entry: CoveredRows.Entry, seq: Seq, store: LocalStore) throws {
        guard let name = Name(entry.name.bytes) else { return }
        try store.rebaseEntry(parent: entry.parent, name: name, base: seq, baseNode: entry.sent)
        // A name that waits for its new file's content was sent as gone: it stays a change.
        let local = try store.entry(parent: entry.parent, name: name)
        if let number = local?.number, try store.node(number)?.isLocalOnly == true { try store.review(number) }
        guard local?.node == entry.sent else { return }
        try store.clearDirty(entryIn: entry.parent, name: name, ifChange: entry.change)
    }
}
