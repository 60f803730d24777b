import DbxLocalStore
import DbxModel

/// The server's file that takes a name from ours, and what both come from, as far as that is known.
struct Rival {
    var node: NodeID
    var base: MergeBase?
    /// Too large to be merged: of a huge file nobody looks at the extents.
    var isLarge = false

    init(node: NodeID, base: MergeBase?) {
        self.node = node
        self.base = base
        isLarge = (base?.bytes ?? 0) > TextMerge.largestBytes
    }

    /// `origin`: the file that has what both come from.
    init(node: NodeID, origin: LocalNode, in store: LocalStore) throws {
        self.init(node: node, base: nil)
        isLarge = origin.size > TextMerge.largestBytes
        if !isLarge { self.init(node: node, base: try MergeBase(of: origin, in: store)) }
    }

    func merge(in parent: InodeNumber, keptAs: Name) -> KeptMerge {
        var merge = KeptMerge(parent: parent, keptAs: keptAs, theirs: node, base: isLarge ? nil : base)
        if isLarge { merge.state = .failed(.large) }
        return merge
    }
}

extension PullApplier {
    /// Of `ours`, which has the name here, and another file that has it on the server.
    func rival(_ theirs: LocalNode, of ours: LocalNode, at entry: LocalEntry) throws -> Rival? {
        guard ours.kind == .file, theirs.kind == .file else { return nil }
        // Written in place; else it replaced what the server had under the name when ours took it. Has that another name,
        // its content may have moved on since.
        if entry.baseNode == ours.id { return try Rival(node: theirs.id, origin: ours, in: store) }
        guard let old = try entry.baseNode.flatMap({ try store.node($0) }), old.kind == .file, old.isOrphan else {
            return Rival(node: theirs.id, base: nil)
        }
        if let replaced = replacedContents[old.id] { return Rival(node: theirs.id, base: replaced) }
        return try Rival(node: theirs.id, origin: old, in: store)
    }
}

extension MergeBase {
    /// What the server had of the file when it was agreed last.
    init(of node: LocalNode, in store: LocalStore) throws {
        self.init(extents: try store.agreedContent(node.number), attributes: node.agreedAttributes)
    }
}

extension LocalNode {
    var agreedAttributes: NodeAttributes { baseAttributes ?? attributes }
}
