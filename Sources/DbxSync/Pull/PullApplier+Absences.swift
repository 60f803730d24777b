import DbxLocalStore
import DbxModel
import DbxWire

/// What the server has no more although no row tells of it: names that a listing lacks, and what was known in directories
/// that are gone.
struct Absences {
    /// The ends of names that are as they were agreed.
    var ends: [EntryRow] = []
    /// Names that were changed here: what they lead to becomes new.
    var changed: [LocalEntry] = []
    /// Nodes that have to be asked for before this is all: whether they live on elsewhere.
    var asked: Set<NodeID> = []
}

extension PullApplier {
    /// Follows the ends of `names` and of all in `directories` into directories that are gone with them.
    func absences(
        of names: [LocalEntry], andIn directories: [NodeID], through seq: Seq, _ supplement: PullSupplement?
    ) throws -> Absences {
        var found = Absences()
        var waiting = names
        for id in directories { waiting += try contents(of: id, through: seq) }
        while let entry = waiting.popLast() {
            if let id = entry.baseNode { found.asked.insert(id) }
            if entry.dirty {
                if let id = entry.node, try !(store.node(id)?.isNew ?? true) { found.asked.insert(id) }
                found.changed.append(entry)
                continue
            }
            guard let id = entry.node, let supplement, supplement.requested.contains(id) else { continue }
            if supplement.isGone(id), try isSpared(id, supplement) { continue }
            found.ends.append(
                EntryRow(parent: entry.parentID, name: entry.name, node: nil, seq: seq, commit: nil))
            if supplement.isGone(id) { waiting += try contents(of: id, through: seq) }
        }
        return found
    }

    /// While directories are compared anew a pull tells of the end of one, but not of what had left it before.
    func absences(
        in forEachPage: ((ChangesPage) throws -> Void) throws -> Void, through seq: Seq, _ supplement: PullSupplement?
    ) throws -> Absences {
        guard try !store.staleDirectories(limit: 1).isEmpty else { return Absences() }
        var gone: Set<NodeID> = supplement?.requested.filter { supplement?.isGone($0) ?? false } ?? []
        var told: [NodeID: Set<Name>] = [:]
        try forEachPage { page in
            gone.formUnion(page.nodes.filter { $0.deleted && $0.kind == .directory }.map(\.id))
            for row in page.entries { told[row.parent, default: []].insert(row.name) }
        }
        var waiting: [LocalEntry] = []
        for id in gone {
            waiting += try contents(of: id, through: seq).filter { told[id]?.contains($0.name) != true }
        }
        return try absences(of: waiting, andIn: [], through: seq, supplement)
    }

    /// What was agreed to be in a directory.
    private func contents(of directory: NodeID, through seq: Seq) throws -> [LocalEntry] {
        guard let node = try store.node(directory), node.kind == .directory else { return [] }
        return try store.comparableEntries(in: node.number).filter { $0.base <= seq }
    }

    /// What a server with damaged data does not have it may have lost: it stays here, and is not sent by itself.
    private func isSpared(_ id: NodeID, _ supplement: PullSupplement) throws -> Bool {
        let common = try common ?? CommonHistory.last(in: store)
        guard common?.isMended ?? false, !supplement.hasEnded(id), let node = try store.node(id) else { return false }
        if node.kind == .directory { try store.setKnowledge(of: node.number, .whole) }
        return true
    }

    /// The server has nothing under names that were changed here. What they led to, before or now, ends where it has ended
    /// there: what has another name here is reborn.
    mutating func rebase(_ changed: [LocalEntry], _ supplement: PullSupplement?) throws {
        for entry in changed {
            try store.rebaseOnNothing(entry)
            for id in Set([entry.baseNode, entry.node].compactMap(\.self)) where supplement?.isGone(id) ?? false {
                try postpone(endOf: id)
            }
        }
    }
}

extension ChangesPage {
    init(ends: [EntryRow], at seq: Seq) {
        self.init(
            nodes: [], entries: ends, segments: [], blocks: [], cursor: "", seq: seq, complete: true,
            quota: Quota(usedBytes: 0, limitBytes: nil))
    }
}
