package import DbxLocalStore
package import DbxModel
import DbxWire

/// Takes back what the guard holds: names at once, from the agreed state; contents, attributes and times with the next
/// pull, which asks for these nodes and takes the server's state of them over ours. What was done since somebody asked
/// for it, and a new folder that stands in the way, is new work: it goes on, where it must under a conflict name.
package enum MassChangeUndo {
    /// In one transaction, with the store's lock held. `change`: the store's counter when it was asked for. What the kernel
    /// is to forget is returned.
    package static func perform(
        _ rule: HoldRule, upTo change: Int64, in store: LocalStore, device: String, now: Timestamp,
        isBusy: (InodeNumber) -> Bool = { _ in false }
    ) throws(StoreError) -> [TreeChange] {
        try store.transaction {
            var restored: Set<NodeID> = []
            var changes: [TreeChange] = []
            // What a program goes on writing there after this is new work too.
            var leaving: [LostName] = []
            var waiting = try heldEntries(rule, upTo: change, store)
            while let known = waiting.popLast() {
                // One that came back with another is as the server has it.
                guard let entry = try store.entry(parent: known.parentID, name: known.name), entry.dirty else {
                    continue
                }
                if let kept = try makeWay(entry, upTo: change, store, device, now) {
                    changes.append(.entry(parent: entry.parent, name: kept))
                }
                if let number = entry.number, isBusy(number) {
                    leaving.append(
                        LostName(
                            node: number, name: entry.name,
                            parents: try TreePath.ancestors(of: entry.parent, in: store), contentChange: .zero))
                }
                try store.putAgreedEntry(
                    parent: entry.parentID, name: entry.name, node: entry.baseNode, seq: entry.base)
                restored.formUnion([entry.parentID, entry.baseNode].compactMap(\.self))
                changes.append(.entry(parent: entry.parent, name: entry.name))
                // A folder too young to be held comes back with what is given back in it.
                if try store.node(entry.parent)?.isOrphan == true {
                    waiting += try store.dirtyEntries(baseNode: entry.parentID)
                }
                // A folder that came back has no other name, held or not.
                if let id = entry.baseNode, let back = try store.node(id), back.kind == .directory {
                    waiting += try store.entries(of: back.number).filter { $0.dirty }
                }
                // What was moved there goes back to where it was.
                if let id = entry.node, let moved = try store.node(id), !moved.isNew, moved.isOrphan {
                    waiting += try store.dirtyEntries(baseNode: id)
                }
            }
            for var lost in leaving {
                guard let node = try store.node(lost.node), node.isOrphan, node.kind == .file else { continue }
                lost.contentChange = node.contentChange
                try store.keep(lost)
            }
            for node in try heldNodes(rule, store) { restored.insert(node.id) }
            try store.setMeta(SyncMeta.restoring, WireJSON.encode(restored.sorted()))
            try store.setMeta(SyncMeta.restoredAt, change.bigEndianBytes)
            return changes
        }
    }

    /// What is new under the name, and was worked on since, goes aside.
    private static func makeWay(
        _ entry: LocalEntry, upTo change: Int64, _ store: LocalStore, _ device: String, _ now: Timestamp
    ) throws -> Name? {
        guard let number = entry.number, let node = try store.node(number), node.isNew,
            try node.kind == .directory ? !store.isEmpty(number) : node.contentChange > change
        else { return nil }
        let kept = try ConflictName(for: entry.name, device: device, at: now).firstFree {
            try store.lookup(entry.parent, $0) != nil
        }
        try store.rename(from: entry.parent, entry.name, to: entry.parent, kept, mode: .noReplace, now: now)
        return kept
    }

    private static func heldEntries(
        _ rule: HoldRule, upTo change: Int64, _ store: LocalStore
    ) throws -> [LocalEntry] {
        try store.dirtyEntries(limit: .max, afterChange: rule.confirmedChange).filter {
            try $0.change <= change && rule.holds($0, in: store)
        }
    }

    private static func heldNodes(_ rule: HoldRule, _ store: LocalStore) throws -> [LocalNode] {
        try store.dirtyNodes(limit: .max, afterChange: rule.confirmedChange).filter {
            try !$0.isNew && rule.holds($0, in: store)
        }
    }
}
