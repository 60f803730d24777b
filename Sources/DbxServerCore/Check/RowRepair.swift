import DbxModel
import DbxServerStores

/// Mends rows in one transaction. What changes in trees is a commit of the server's own; and since what was damaged may
/// have reached no client, or some, a new epoch begins, so that all of them list again.
struct RowRepair {
    let rows: any MetadataTransaction
    let entropy: any Entropy
    let now: Timestamp

    /// Returns what was done, for people.
    func run() throws -> [String] {
        var done = try Self.derive(rows)
        for head in try rows.heads() {
            let references = try rows.segmentReferences(in: head.namespace).wrong
            for segment in references { try rows.putReferences(of: segment, in: head.namespace) }
            if !references.isEmpty { done.append("references of \(references.count) contents derived anew") }
            let mended = try mendTree(of: head.namespace)
            if !mended.isEmpty { try rows.startEpoch(entropy.bytes(16)) }
            done += mended
        }
        return try done + Self.derive(rows)
    }

    static func derive(_ rows: any MetadataTransaction) throws -> [String] {
        try rows.derive().map { "\($0.count) \($0.what.description)" }
    }

    // MARK: Trees

    /// Names that lead to nothing end; what no way leads to gets a name in the root.
    private func mendTree(of id: NamespaceID) throws -> [String] {
        let dangling = try rows.danglingEntries(in: id)
        let lost = try rows.nodesOutOfReach(in: id)
        guard !dangling.isEmpty || !lost.isEmpty, let root = try rows.namespace(id)?.rootNode,
            try rows.node(root, in: id)?.deleted == false, let namespace = try rows.takeSeq(in: id)
        else { return [] }
        let commit = CommitID(from: entropy)
        for entry in dangling { try end(entry, in: namespace, commit) }
        var found = 0
        // Naming a directory brings back what is in it; of a ring of directories the first is taken out.
        for node in try topmost(of: lost, in: id) {
            try name(node, in: namespace, commit)
            found += 1
        }
        while let node = try rows.nodesOutOfReach(in: id).first {
            for entry in try rows.entries(of: node, in: id) { try end(entry, in: namespace, commit) }
            try name(node, in: namespace, commit)
            found += 1
        }
        try record(commit, namespace)
        return [
            dangling.isEmpty ? nil : "\(dangling.count) names that led to nothing ended, in tree \(id)",
            found == 0 ? nil : "\(found) files and directories named 'recovered-…' in the root of tree \(id)",
        ].compactMap(\.self)
    }

    /// Those that have no entry at all.
    private func topmost(of lost: [NodeID], in namespace: NamespaceID) throws -> [NodeID] {
        try lost.filter { try rows.entries(of: $0, in: namespace).isEmpty }
    }

    private func end(_ entry: EntryRecord, in namespace: NamespaceRecord, _ commit: CommitID) throws {
        var entry = entry
        (entry.node, entry.seq, entry.commit, entry.leftUnseen) = (nil, namespace.head, commit, false)
        try rows.put(entry, in: namespace.id)
    }

    private func name(_ id: NodeID, in namespace: NamespaceRecord, _ commit: CommitID) throws {
        guard var node = try rows.node(id, in: namespace.id), let name = Name("recovered-\(id)") else { return }
        node.seq = namespace.head
        node.commit = commit
        try rows.put(node, in: namespace.id)
        try rows.put(
            EntryRecord(parent: namespace.rootNode, name: name, node: id, seq: namespace.head, commit: commit),
            in: namespace.id)
    }

    private func record(_ id: CommitID, _ namespace: NamespaceRecord) throws {
        let digest = CommitChain.start
        let chain = CommitChain.next(after: namespace.chain, seq: namespace.head, commit: id, digest: digest)
        try rows.insert(
            CommitRecord(
                seq: namespace.head, id: id, digest: digest, chain: chain, device: nil, committedAt: now,
                usedBytes: namespace.usedBytes, limitBytes: namespace.limitBytes),
            in: namespace.id)
        try rows.finishCommit(
            in: namespace.id, chain: chain, usedBytes: namespace.usedBytes, pinnedBytes: namespace.pinnedBytes)
        try rows.insertNotice(HeadRecord(namespace: namespace.id, seq: namespace.head))
    }
}
