package import DbxLocalStore
package import DbxModel
package import DbxWire

/// Which of the dirty rows a mass change holds back: those by which an old node of the server's loses its last name or
/// its content, and the names that such a node or its replacement has now. Pure; with the store's lock held.
package struct HoldRule: Hashable, Sendable, Codable {
    /// Younger nodes are work in progress: builds and checkouts come and go.
    package var bornBefore: Timestamp
    /// Local changes up to this one have been confirmed.
    package var confirmedChange: Int64

    package init(bornBefore: Timestamp, confirmedChange: Int64) {
        self.bornBefore = bornBefore
        self.confirmedChange = confirmedChange
    }

    package func holds(_ entry: LocalEntry, in store: LocalStore) throws(StoreError) -> Bool {
        guard entry.dirty, entry.change > confirmedChange else { return false }
        if let node = try entry.number.flatMap({ number throws(StoreError) in try store.node(number) }), rewrites(node)
        {
            return true
        }
        guard let base = entry.baseNode, base != entry.node, let old = try store.node(base) else { return false }
        return rewrites(old) || (old.isOrphan && isOld(old))
    }

    package func holds(_ node: LocalNode, in store: LocalStore) throws(StoreError) -> Bool {
        if rewrites(node) { return true }
        guard node.isNew, node.number != .root else { return false }
        for entry in try store.entries(of: node.number) where try holds(entry, in: store) { return true }
        return false
    }

    /// How many nodes some names of a commit would take from the server. Before its rows are settled.
    package func lost(by changes: some Sequence<EntryChange>, store: LocalStore) throws(StoreError) -> Int {
        var count = 0
        for change in changes {
            guard let entry = try store.entry(parent: change.parent, name: change.name) else { continue }
            if try holds(entry, in: store) { count += 1 }
        }
        return count
    }

    /// And how many of them some of its nodes would rewrite.
    package func lost(by changes: some Sequence<NodeChange>, store: LocalStore) throws(StoreError) -> Int {
        var count = 0
        for change in changes where change.content != nil {
            if let node = try store.node(change.id), rewrites(node) { count += 1 }
        }
        return count
    }

    private func rewrites(_ node: LocalNode) -> Bool {
        node.kind == .file && node.contentDirty && !node.isOrphan && node.contentChange > confirmedChange && isOld(node)
    }

    private func isOld(_ node: LocalNode) -> Bool {
        !node.isNew && node.number != .root && node.attributes.birthTime <= bornBefore
    }
}
