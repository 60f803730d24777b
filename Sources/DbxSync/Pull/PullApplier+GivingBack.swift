import DbxLocalStore
import DbxModel

/// Names that come back although they were taken here, and what has to give way to them.
extension PullApplier {
    /// A directory that was removed here has got new work on the server: it comes back, with all above it.
    mutating func bringBack(_ directory: LocalNode) throws {
        for name in try store.dirtyEntries(baseNode: directory.id) { try giveBack(name, to: directory.id) }
    }

    /// The server's node has the name again, and all above it is there. What took the name here gives way, or is replaced;
    /// unless a rule keeps it here: then the server's gives way, everywhere.
    mutating func giveBack(
        _ name: LocalEntry, to id: NodeID, against rival: Rival? = nil, overOurs: Bool = false
    ) throws {
        let kept = try isKeptHere(name) ? setAside(name.name, in: name.parent) : nil
        if name.node != nil, kept == nil, !overOurs { try moveAside(name, wanted: name.name, against: rival) }
        try store.putAgreedEntry(parent: name.parentID, name: name.name, node: id, seq: name.base)
        note(.entry(parent: name.parent, name: name.name))
        if let kept { try exchange(name.name, kept, in: name.parent) }
        if let above = try store.node(name.parent), above.isOrphan { try bringBack(above) }
    }

    /// Whether a rule keeps what has the name on this computer.
    func isKeptHere(_ name: LocalEntry) throws -> Bool {
        guard let number = name.number, let ours = try store.node(number) else { return false }
        return ours.isLocalOnly || name.isLocalOnly
    }

    /// Renames what has the name to a free conflict name.
    func setAside(_ name: Name, in parent: InodeNumber, wanted: Name? = nil) throws -> Name {
        let kept = try ConflictName(for: wanted ?? name, device: device, at: now).firstFree {
            try store.lookup(parent, $0) != nil
        }
        try store.rename(from: parent, name, to: parent, kept, mode: .noReplace, now: now)
        return kept
    }

    mutating func exchange(_ name: Name, _ kept: Name, in parent: InodeNumber) throws {
        try store.rename(from: parent, name, to: parent, kept, mode: .exchange, now: now)
        note(.entry(parent: parent, name: kept))
    }

    /// What we gave the name to has it no longer: it is the server's again. A directory that we moved away from there stays
    /// where it is, for it has one name only.
    mutating func takeBack(_ name: LocalEntry) throws {
        let was = try name.baseNode == name.node ? nil : name.baseNode.flatMap { try store.node($0) }
        let livesElsewhere = try was.map { try $0.kind == .directory && !store.entries(of: $0.number).isEmpty } ?? false
        try store.putAgreedEntry(
            parent: name.parentID, name: name.name, node: livesElsewhere ? nil : name.baseNode, seq: name.base)
        if livesElsewhere {
            try store.rebaseEntry(parent: name.parentID, name: name.name, base: name.base, baseNode: name.baseNode)
        }
        note(.entry(parent: name.parent, name: name.name))
    }

    // MARK: Rings

    /// Where our moves and the server's together would make rings of directories, ours are taken back, one after the other:
    /// what gives way to a directory that comes back may be in a ring under its new name.
    mutating func settleDirectoryCycles() throws {
        while let (name, directory) = try moveInRing() {
            try takeBack(name)
            try bringBack(directory)
        }
    }

    /// In each ring is a directory of the server's that was moved here: a new one in it only lies in the way.
    private func moveInRing() throws -> (name: LocalEntry, directory: LocalNode)? {
        for entry in try store.dirtyEntries(limit: .max, afterChange: 0) {
            guard let number = entry.number, let directory = try store.node(number), directory.kind == .directory,
                !directory.isNew, try isOwnAncestor(number)
            else { continue }
            return (entry, directory)
        }
        return nil
    }

    private func isOwnAncestor(_ number: InodeNumber) throws -> Bool {
        var seen: Set<InodeNumber> = []
        var current = number
        while let above = try store.entries(of: current).first, seen.insert(current).inserted {
            if above.parent == number { return true }
            current = above.parent
        }
        return false
    }
}
