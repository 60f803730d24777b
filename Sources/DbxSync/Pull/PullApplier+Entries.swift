import DbxLocalStore
import DbxModel
import DbxWire

extension PullApplier {
    mutating func apply(_ row: EntryRow) throws {
        guard let parent = try store.node(row.parent) else { return }
        if row.node == nil { store.noteGone(row.name, in: parent.number, seq: row.seq) }
        guard try scope.concerns(row, in: parent) else { return }
        let local = try store.entry(parent: row.parent, name: row.name)
        if let local, row.seq <= local.base { return }
        if let local, try isOlder(row, than: local) {
            return try store.rebaseEntry(parent: row.parent, name: row.name, base: row.seq, baseNode: row.node)
        }
        if row.node == nil {
            if local != nil { postpone(row) }
            return
        }
        let decision = EntryDecision.decide(
            base: local?.baseNode, local: local?.node, remote: row.node, dirty: local?.dirty ?? false)
        switch decision {
        case .agree: try take(row, in: parent)
        case .takeRemote:
            guard let local, try holdsOnlyCopy(local) else { return try take(row, in: parent) }
            try settle(local, against: row, in: parent)
        case .keepLocal:
            try store.rebaseEntry(parent: row.parent, name: row.name, base: row.seq, baseNode: row.node)
        case .keepBoth:
            if let local { try settle(local, against: row, in: parent) }
        }
    }

    /// Whether ours was agreed after the row, and the server has lost it. A directory is not replaced so: what is in it
    /// would have to go, and nobody knows it.
    private func isOlder(_ row: EntryRow, than local: LocalEntry) throws -> Bool {
        guard local.base == .unknown, let id = row.node, id != local.node, let common, row.seq <= common.seq else {
            return false
        }
        return try store.node(id)?.kind != .directory
    }

    /// Whether the entry is the last name of a file that was written here, or of a directory with work of ours in it:
    /// replaced on the server (as by a save through a temporary file), it would take that work with it.
    private func holdsOnlyCopy(_ entry: LocalEntry) throws -> Bool {
        guard let node = try entry.node.flatMap({ try store.node($0) }) else { return false }
        guard node.kind == .directory else { return try node.contentDirty && isLastName(of: node) }
        return try store.entries(of: node.number).count == 1 && holdsWork(node.number)
    }

    /// Whether others can see the node under one name at most: one that a rule keeps here is none for them.
    private func isLastName(of node: LocalNode) throws -> Bool {
        try node.links == 1 || store.entries(of: node.number).count { !$0.isLocalOnly } == 1
    }

    /// Whether anything below it was written, made or moved here. Until all rows are applied it may be its own ancestor.
    private func holdsWork(_ directory: InodeNumber) throws -> Bool {
        var seen: Set<InodeNumber> = [directory]
        var waiting = [directory]
        while let number = waiting.popLast() {
            if try store.dirtyEntries(under: number).contains(where: { $0.node != nil }) { return true }
            for child in try store.list(number, after: 0, limit: .max) {
                switch child.kind {
                case .directory: if seen.insert(child.number).inserted { waiting.append(child.number) }
                case .file: if try store.node(child.number)?.contentDirty ?? false { return true }
                default: break
                }
            }
        }
        return false
    }

    private mutating func take(_ row: EntryRow, in parent: LocalNode) throws {
        if let node = try row.node.flatMap({ try store.node($0) }) {
            try received.willName(node, row.name, in: parent, store: store)
            if node.kind == .directory { try leaveOtherParents(node, for: row) }
        }
        // Of what was known once, programs have been told that it is not there.
        let isNews =
            try !isListing || parent.knowledge != .partial || store.entry(parent: row.parent, name: row.name) != nil
        if let ours = try store.lookup(parent.number, row.name), ours.id != row.node, isUnseen(ours, by: row) {
            leftUnseen.insert(ours.id)
        }
        try willTakeAway(row.name, in: parent)
        try store.putAgreedEntry(parent: row.parent, name: row.name, node: row.node, seq: row.seq)
        if isNews {
            note(.entry(parent: parent.number, name: row.name))
        } else if let node = try row.node.flatMap({ try store.node($0) }), node.kind != .directory, node.links > 1 {
            note(.attributes(node.number))
        }
        if row.node != nil, parent.isOrphan { try bringBack(parent) }
    }

    /// A directory has one parent: where both sides moved it, the server's place counts. A pull tells of the name that it
    /// has left; where it stands in a listing, it has left all others.
    mutating func leaveOtherParents(_ directory: LocalNode, for row: EntryRow) throws {
        for other in try store.entries(of: directory.number)
        where other.parentID != row.parent || other.name != row.name {
            if other.dirty {
                try takeBack(other)
            } else if isListing, other.base < row.seq {
                try store.putAgreedEntry(parent: other.parentID, name: other.name, node: nil, seq: row.seq)
                note(.entry(parent: other.parent, name: other.name))
            }
        }
    }

    /// Two different nodes under one name, and ours has work that is nowhere else.
    private mutating func settle(_ local: LocalEntry, against row: EntryRow, in parent: LocalNode) throws {
        guard let theirs = try row.node.flatMap({ try store.node($0) }),
            let ours = try local.node.flatMap({ try store.node($0) })
        else { return try take(row, in: parent) }
        if try isKeptHere(local) { return try keepApart(local, from: row, in: parent) }
        if local.dirty, ours.kind == .directory, theirs.kind == .directory, ours.isNew {
            try mergeDirectories(ours, into: theirs, at: local)
            return try take(row, in: parent)
        }
        switch outcome(ours: ours, theirs: theirs) {
        case .both where !isOurOwn(row, leadingTo: theirs):
            try moveAside(local, wanted: row.name, against: rival(theirs, of: ours, at: local))
            try take(row, in: parent)
        case .theirs: try take(row, in: parent)
        case .ours, .both:
            try store.rebaseEntry(parent: row.parent, name: row.name, base: row.seq, baseNode: row.node)
        }
    }

    /// What a rule keeps here keeps its name; the server's goes on under a conflict name, everywhere.
    private mutating func keepApart(_ local: LocalEntry, from row: EntryRow, in parent: LocalNode) throws {
        let kept = try setAside(row.name, in: parent.number)
        try take(row, in: parent)
        try exchange(row.name, kept, in: parent.number)
    }

    /// A version may only go where both are files, and ours was written here: one that was only moved is no version.
    func outcome(ours: LocalNode, theirs: LocalNode) -> ConflictPolicy.Outcome {
        if ours.kind == .symlink, theirs.kind == .symlink, ours.target == theirs.target { return .theirs }
        guard ours.kind == .file, theirs.kind == .file, ours.contentDirty else { return .both }
        return outcome(ours: ours, theirs: theirs.id, size: theirs.size, changedAt: theirs.attributes.mtime)
    }

    /// Renames a local entry to a free conflict name in its directory; its old name is then as the server has it.
    mutating func moveAside(_ entry: LocalEntry, wanted: Name, against rival: Rival?) throws {
        let kept = try setAside(entry.name, in: entry.parent, wanted: wanted)
        note(.entry(parent: entry.parent, name: entry.name))
        note(.entry(parent: entry.parent, name: kept))
        guard let copy = entry.number else { return }
        try note(
            KeptConflict(parent: entry.parent, name: wanted, keptAs: kept, copy: copy, at: now), in: entry.parentID,
            against: rival)
    }

    /// Both sides made a directory of one name: what ours holds moves into the server's.
    private mutating func mergeDirectories(_ ours: LocalNode, into theirs: LocalNode, at entry: LocalEntry) throws {
        for child in try store.list(ours.number, after: 0, limit: .max) {
            try merge(child, of: ours, into: theirs)
            note(.entry(parent: ours.number, name: child.name))
        }
        _ = try store.unlink(entry.parent, entry.name, now: now)
    }

    private mutating func merge(_ child: DirectoryEntry, of ours: LocalNode, into theirs: LocalNode) throws {
        var (name, mode) = (child.name, RenameMode.noReplace)
        if let mine = try store.node(child.number), let other = try store.lookup(theirs.number, name) {
            if mine.kind == .directory, other.kind == .directory, mine.isNew,
                let entry = try store.entry(parent: ours.id, name: name)
            {
                return try mergeDirectories(mine, into: other, at: entry)
            }
            switch mine.isLocalOnly ? .both : outcome(ours: mine, theirs: other) {
            case .both:
                name = try ConflictName(for: name, device: device, at: now).firstFree {
                    try store.lookup(theirs.number, $0) != nil
                }
                try note(
                    KeptConflict(parent: theirs.number, name: child.name, keptAs: name, copy: mine.number, at: now),
                    in: theirs.id, against: other.kind == .file ? Rival(node: other.id, base: nil) : nil)
            case .ours: mode = .replace
            case .theirs:
                _ = try store.unlink(ours.number, name, now: now)
                return
            }
        }
        try store.rename(from: ours.number, child.name, to: theirs.number, name, mode: mode, now: now)
        if name != child.name, try store.node(child.number)?.isLocalOnly == true {
            try store.rename(from: theirs.number, child.name, to: theirs.number, name, mode: .exchange, now: now)
            note(.entry(parent: theirs.number, name: child.name))
        }
        note(.entry(parent: theirs.number, name: name))
    }

    // MARK: Removals

    /// Takes names away that the server no longer has, deepest first; one that still holds work of ours stays and
    /// becomes new work itself ("edit beats delete").
    mutating func finishRemovals() throws {
        var waiting = takeRemovals()
        while !waiting.isEmpty {
            let left = try waiting.filter { try !finish($0, evenIfFull: false) }
            if left.count == waiting.count {
                for row in left { _ = try finish(row, evenIfFull: true) }
                return
            }
            waiting = left
        }
    }

    /// Whether the removal is settled. A directory that is not empty is not, unless `evenIfFull`: then it comes back.
    mutating func finish(_ row: EntryRow, evenIfFull: Bool) throws -> Bool {
        guard let parent = try store.node(row.parent),
            let local = try store.entry(parent: row.parent, name: row.name), row.seq > local.base
        else { return true }
        guard let id = local.node, let node = try store.node(id) else {
            try store.putAgreedEntry(parent: row.parent, name: row.name, node: nil, seq: row.seq)
            return true
        }
        let isFull = try node.kind == .directory && !store.isEmpty(node.number)
        let livesElsewhere = try node.kind == .directory && store.entries(of: node.number).count > 1
        if isFull, !livesElsewhere, !evenIfFull { return false }
        let isLastOfWork = try node.contentDirty && isLastName(of: node)
        let isOurs =
            try local.dirty || isLastOfWork || (isFull && !livesElsewhere) || isLastOfUnseen(node, row)
        if isOurs {
            // A listing knows no tombstone: it says that there is nothing.
            if isListing {
                try store.rebaseOnNothing(local)
            } else {
                try store.rebaseEntry(parent: row.parent, name: row.name, base: row.seq, baseNode: nil)
            }
        } else {
            if isUnseen(node, by: row) { leftUnseen.insert(id) }
            try received.willRemove(row.name, of: node, in: parent, store: store)
            try willTakeAway(row.name, in: parent)
            try store.putAgreedEntry(parent: row.parent, name: row.name, node: nil, seq: row.seq)
            note(.entry(parent: parent.number, name: row.name))
        }
        return true
    }

    /// Whether the row takes the last name of a file that has lost others here, and that holds what whoever took this one
    /// had not seen.
    private func isLastOfUnseen(_ file: LocalNode, _ row: EntryRow) throws -> Bool {
        guard isUnseen(file, by: row), !hasEnded(file.id), try isLastName(of: file) else { return false }
        let ours = try store.dirtyEntries(baseNode: file.id)
        // What came after we took a name gives that one back.
        return !ours.isEmpty && ours.allSatisfy { $0.parted ?? 0 >= file.contentChange }
    }

    /// Whether the file's content was written before the row's commit, which did not know of it, or after that.
    private func isUnseen(_ file: LocalNode, by row: EntryRow) -> Bool {
        file.kind == .file && (row.leftUnseen || row.seq <= file.contentSeq)
    }

    /// Nodes that the server has ended. One that still has a name here is reborn as a new node.
    mutating func finishTombstones() throws {
        for row in takeTombstones() {
            guard let local = try store.node(row.id), row.seq > local.seq else { continue }
            if try store.entries(of: local.number).isEmpty {
                // One that is still open is nobody's but ours from now on, and goes with its last close.
                if try isBusy(local.number) || store.lostName(of: local.number) != nil {
                    try becomeOurs(local)
                } else {
                    try store.removeNode(row.id)
                }
            } else {
                try store.changeIdentity(of: local.number, to: freshIdentity())
            }
        }
    }
}
