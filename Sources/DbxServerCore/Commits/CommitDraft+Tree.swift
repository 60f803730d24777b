import DbxModel
import DbxServerStores
import DbxWire

/// Entries, what follows from them, and the rules of the tree on the state after the whole commit (DESIGN §3).
extension CommitDraft {
    /// Counts links; the rows themselves are written at the end.
    func applyEntries() throws {
        for change in request.entries {
            let old = try entryBefore(EntryKey(change))?.node
            guard old != change.node else { continue }
            if let old {
                taking[old, default: []].append(change)
                try adjust(old) { $0.links -= 1 }
            }
            if let new = change.node {
                guard try node(new) != nil else {
                    throw Self.invalidTree("The entry '\(change.name)' names node \(new), which does not exist.")
                }
                try adjust(new) { $0.links += 1 }
            }
        }
    }

    /// Gives the changed directories' rows this seq and their times.
    func applyDirectoryTimes() throws {
        let times = Dictionary(uniqueKeysWithValues: request.directoryTimes.map { ($0.node, $0) })
        let withAttributes = Set(request.nodes.lazy.filter { $0.attributes != nil }.map(\.id))
        for id in Set(request.entries.map(\.parent)).union(times.keys).sorted() {
            guard let directory = try node(id), directory.isLive else { continue }
            guard directory.after.kind == .directory else {
                throw Self.invalidTree("Node \(id) is no directory.", nodes: directory.before.map { [$0] } ?? [])
            }
            let time = times[id]
            try touch(id) { node in
                if let time {
                    node.attributes.mtime = time.explicit ? time.mtime : max(node.attributes.mtime, time.mtime)
                    node.attributes.ctime = max(node.attributes.ctime, time.mtime)
                } else if !withAttributes.contains(id) {
                    node.attributes.mtime = max(node.attributes.mtime, now)
                    node.attributes.ctime = max(node.attributes.ctime, now)
                }
            }
        }
    }

    /// Ends the nodes that lost their last entry; before the times, which are for directories that stay.
    func endUnlinkedNodes() throws {
        let touched =
            request.nodes.map(\.id) + request.entries.compactMap(\.node)
            + request.entries.compactMap { entriesBefore[EntryKey($0)]??.node }
        for id in Set(touched).sorted() where id != namespace.rootNode {
            guard let node = try node(id), node.after.links == 0, node.isLive else { continue }
            guard !node.isNew else { throw Self.invalidTree("The new node \(id) has no entry.") }
            if node.after.kind == .directory { try checkEmpty(id) }
            if let before = node.before { try checkIsMeantToEnd(before) }
            segmentEdits.append(.endAll(node: id))
            allocatedDelta -= node.after.allocatedBytes
            try touch(id) { node in
                node.deleted = true
                node.allocatedBytes = 0
            }
        }
    }

    /// A file that goes must be the one that the client last saw, under no other name than the client knows.
    private func checkIsMeantToEnd(_ node: NodeRecord) throws {
        let taken = taking[node.id, default: []]
        let isUnseen = taken.compactMap(\.lastContent).max().map { $0 < node.contentSeq } ?? false
        guard isUnseen || taken.contains(where: \.hasOtherName) else { return }
        throw Problem(
            kind: .conflict, detail: "The file \(node.id) was changed by others.", nodes: [NodeRow(node)], entries: [])
    }

    /// Whether a file lives on under other names, with content that the client had not seen who takes this one.
    func leavesUnseenContent(_ change: EntryChange) throws -> Bool {
        guard let seen = change.lastContent, let id = entriesBefore[EntryKey(change)]??.node, id != change.node,
            let node = try node(id), node.isLive, let before = node.before
        else { return false }
        return seen < before.contentSeq
    }

    func checkTree() throws {
        var attached: Set<NodeID> = [namespace.rootNode]
        for change in request.entries {
            guard let id = change.node, let child = try node(id) else { continue }
            guard let parent = try node(change.parent), parent.isLive, parent.after.kind == .directory else {
                throw Self.invalidTree("The parent \(change.parent) of '\(change.name)' is no directory that exists.")
            }
            guard id != namespace.rootNode else { throw Self.invalidTree("The root directory can have no entry.") }
            guard child.after.kind == .directory else { continue }
            guard child.after.links == 1 else {
                throw Self.invalidTree("The directory \(id) would have \(child.after.links) entries.")
            }
            try checkPath(from: id, &attached)
        }
    }

    /// A directory that goes must be empty. Others may have added to it: then this is a conflict, with what is in it.
    private func checkEmpty(_ directory: NodeID) throws {
        let changes = changesByParent[directory, default: []]
        guard changes.allSatisfy({ $0.node == nil }) else {
            throw Self.invalidTree("The directory \(directory) is deleted and given an entry by one commit.")
        }
        let removed = Set(changes.map(\.name))
        let shown = 100
        let entries = try rows.entries(
            inDirectory: directory, after: nil, limit: removed.count + shown, in: namespace.id)
        let left = entries.filter { !removed.contains($0.name) }
        guard left.isEmpty else {
            let nodes = try ([directory] + left.compactMap(\.node)).compactMap { try node($0)?.before }
            throw Problem(
                kind: .conflict, detail: "The directory \(directory) is not empty: others have added to it.",
                nodes: nodes.map(NodeRow.init), entries: left.map(EntryRow.init))
        }
    }

    /// Walks up from a directory to one that is known to hang on the root.
    private func checkPath(from start: NodeID, _ attached: inout Set<NodeID>) throws {
        var path: Set<NodeID> = []
        var entries: [EntryRecord] = []
        var id = start
        while !attached.contains(id) {
            guard path.insert(id).inserted else {
                throw Self.invalidTree(
                    "The move would put directory \(id) below itself.",
                    nodes: try path.sorted().compactMap { try node($0)?.before }, entries: entries)
            }
            guard let entry = try entryAfter(of: id) else {
                throw Self.invalidTree("The directory \(id) would not hang on the root.")
            }
            if entry.seq < seq { entries.append(entry) }
            id = entry.parent
        }
        attached.formUnion(path)
    }

    /// The one entry that a directory has after the commit.
    private func entryAfter(of directory: NodeID) throws -> EntryRecord? {
        if let change = placements[directory] {
            return EntryRecord(parent: change.parent, name: change.name, node: directory, seq: seq, commit: request.id)
        }
        return try rows.entries(of: directory, in: namespace.id).first { !changedKeys.contains(EntryKey($0)) }
    }
}

extension EntryKey {
    init(_ record: EntryRecord) { self.init(parent: record.parent, name: record.name) }
}
