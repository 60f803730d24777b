package import DbxLocalStore
import DbxModel

/// Files that a program writes to while others remove or replace their last name. Until they are closed nobody sees what is
/// written; then it is a change like any other, made at that moment.
extension PullApplier {
    /// To be called before a name is taken from what it leads to.
    mutating func willTakeAway(_ name: Name, in parent: LocalNode) throws {
        guard let node = try store.lookup(parent.number, name), node.kind == .file else { return }
        leftBehind.insert(node.id)
        guard isBusy(node.number) else { return }
        leaving.append(
            LostName(
                node: node.number, name: name, parents: try TreePath.ancestors(of: parent.number, in: store),
                contentChange: .zero))
    }

    /// To be called when everything else has been applied: they may have got another name.
    mutating func keepWhatIsOpen() throws {
        for var lost in leaving {
            guard let node = try store.node(lost.node), node.isOrphan else { continue }
            lost.contentChange = node.contentChange
            try store.keep(lost)
        }
        leaving = []
    }

    /// The server's node has ended, and the file goes on as another one; that alone is nothing written.
    func becomeOurs(_ file: LocalNode) throws {
        try store.changeIdentity(of: file.number, to: freshIdentity())
        guard var lost = try store.lostName(of: file.number), lost.contentChange == file.contentChange,
            let node = try store.node(file.number)
        else { return }
        lost.contentChange = node.contentChange
        try store.keep(lost)
    }

    /// The file is closed: what was written to it since it lost its name comes back under that name, or is the other version
    /// of what has it now.
    package mutating func settleClosed(_ number: InodeNumber) throws {
        try store.transaction {
            guard let lost = try store.lostName(of: number) else { return }
            try store.forgetLostName(of: number)
            guard let file = try store.node(number), file.isOrphan, file.contentChange != lost.contentChange else {
                return
            }
            if !file.isNew { try store.changeIdentity(of: number, to: freshIdentity()) }
            let place = try lost.parents.lazy.compactMap { [store] in try store.node($0) }.first {
                $0.kind == .directory && !$0.isOrphan
            }
            guard let parent = try place ?? store.node(InodeNumber.root) else { return }
            try comeBack(file, as: lost.name, in: parent)
        }
    }

    private mutating func comeBack(_ file: LocalNode, as name: Name, in parent: LocalNode) throws {
        guard let theirs = try store.lookup(parent.number, name) else {
            _ = try store.link(file.number, in: parent.number, name, now: now)
            return note(.entry(parent: parent.number, name: name))
        }
        let outcome = outcome(ours: file, theirs: theirs)
        if outcome == .theirs { return }
        let kept = try ConflictName(for: name, device: device, at: now).firstFree {
            try store.lookup(parent.number, $0) != nil
        }
        _ = try store.link(file.number, in: parent.number, kept, now: now)
        note(.entry(parent: parent.number, name: kept))
        if outcome == .ours {
            try store.rename(from: parent.number, kept, to: parent.number, name, mode: .replace, now: now)
            note(.entry(parent: parent.number, name: name))
        } else {
            try note(
                KeptConflict(parent: parent.number, name: name, keptAs: kept, copy: file.number, at: now),
                in: parent.id, against: theirs.kind == .file ? Rival(node: theirs.id, base: nil) : nil)
        }
    }
}
