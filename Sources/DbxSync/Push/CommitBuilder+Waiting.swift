import DbxLocalStore
import DbxModel

/// What has to wait, whether or not it could be sent.
extension CommitBuilder {
    /// After the server's data were put back to an older state its row of the node is known only once a name of it is,
    /// or one that it has lost here.
    func isCompared(_ node: LocalNode) throws -> Bool {
        guard hasStaleDirectories, node.number != .root else { return true }
        let names = try store.entries(of: node.number) + store.dirtyEntries(baseNode: node.id)
        return try names.allSatisfy { entry in
            guard let parent = try store.node(entry.parent), parent.knowledge == .stale else { return true }
            return try store.isCompared(entry, in: parent)
        }
    }

    /// Whether the entry has to wait: as when it lies in a new directory that the server refused, however deep.
    func isHeldBack(_ entry: LocalEntry) throws -> Bool {
        guard
            !context.held.isEmpty || context.rule != nil || hasBlindNames || hasStaleDirectories || !deferred.isEmpty
        else { return false }
        var seen: Set<EntryKey> = []
        return try isHeldBack(entry, &seen)
    }

    private func isHeldBack(_ entry: LocalEntry, _ seen: inout Set<EntryKey>) throws -> Bool {
        guard entry.dirty, seen.insert(EntryKey(parent: entry.parentID, name: entry.name)).inserted else {
            return false
        }
        // Newer content of the file waits until a program closes it: only then it is known what becomes of the name.
        if let base = entry.baseNode, base != entry.node, deferred.contains(base) { return true }
        // It could not go anyway.
        guard seen.count <= ContentLimits.maximumCommitRows else { return true }
        if try context.rule?.holds(entry, in: store) ?? false { return true }
        if let node = entry.node, context.heldNames.contains(node) { return true }
        if let node = try entry.node.flatMap(store.node), !node.isNew {
            // Its answer would make the node as new as the server's, whose content has not come.
            guard try isCompared(node) else { return true }
            // A directory has one name, and comes to a new one only as it leaves the old.
            if node.kind == .directory {
                for old in try store.dirtyEntries(baseNode: node.id) where try isHeldBack(old, &seen) { return true }
            }
        }
        var parent = try store.node(entry.parentID)
        // What the server has under the name has to be known first.
        if let parent, try !store.isCompared(entry, in: parent) { return true }
        while let directory = parent, directory.isNew {
            if try isHeld(directory) { return true }
            let name = try store.entries(of: directory.number).first
            parent = try name.flatMap { try store.node($0.parentID) }
            if let name, let parent, try !store.isCompared(name, in: parent) { return true }
        }
        guard let base = entry.baseNode, base != entry.node, let old = try store.node(base) else { return false }
        // A directory goes only with all that left it, a node leaves its name only for one that can go too.
        if old.isOrphan {
            for left in try store.dirtyEntries(under: old.number) where try isHeldBack(left, &seen) { return true }
            return false
        }
        for name in try store.entries(of: old.number) where try !isHeldBack(name, &seen) { return false }
        return true
    }

    // MARK: Beside a commit in flight

    func isInFlight(_ node: NodeID) -> Bool { context.inFlight?.nodes.contains(node) ?? false }

    func isInFlight(_ entry: LocalEntry) -> Bool {
        context.inFlight?.entries.contains(EntryKey(parent: entry.parentID, name: entry.name)) ?? false
    }

    /// See `RowsInFlight`.
    func mayGoNow(_ node: LocalNode) -> Bool { context.inFlight == nil || node.isNew && !isInFlight(node.id) }

    func mayGoNow(_ entry: LocalEntry) throws -> Bool {
        guard context.inFlight != nil else { return true }
        guard entry.baseNode == nil, let node = try entry.node.flatMap(store.node) else { return false }
        return mayGoNow(node)
    }

    func isHeld(_ node: LocalNode) throws -> Bool {
        try context.held.contains(node.id) || context.rule?.holds(node, in: store) ?? false
    }
}
