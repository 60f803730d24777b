import DbxLocalStore
import DbxModel

/// Gathers what a pull changed here while it is applied. A value of the applier's, under the store's lock.
struct ReceivedActivity {
    private(set) var activities: [TreeActivity] = []
    private var left = 0
    private var moved: Set<NodeID> = []
    private var reported: Set<NodeID> = []

    var all: [TreeActivity] {
        left == 0 ? activities : activities + [TreeActivity(.more, [], bytes: Int64(left))]
    }

    /// Before the server's node takes the name.
    mutating func willName(
        _ node: LocalNode, _ name: Name, in parent: LocalNode, store: LocalStore
    ) throws(StoreError) {
        let before = try store.lookup(parent.number, name)
        guard before?.id != node.id else { return }
        let old = try store.entries(of: node.number).first
        try append(node.id, store: store) { () throws(StoreError) in
            guard let path = try TreePath.path(of: name, under: parent.number, in: store) else { return nil }
            if let old, let from = try TreePath.path(of: old.name, under: old.parent, in: store) {
                return TreeActivity(.renamed, path, from: from)
            }
            return TreeActivity(before == nil ? .created : .changed, path, bytes: node.kind == .file ? node.size : 0)
        }
        if old != nil { moved.insert(node.id) }
    }

    /// Before the name goes.
    mutating func willRemove(
        _ name: Name, of node: LocalNode, in parent: LocalNode, store: LocalStore
    ) throws(StoreError) {
        guard !moved.contains(node.id) else { return }
        try append(nil, store: store) { () throws(StoreError) in
            try TreePath.path(of: name, under: parent.number, in: store).map { TreeActivity(.deleted, $0) }
        }
    }

    mutating func changedContent(of node: LocalNode, size: Int64, store: LocalStore) throws(StoreError) {
        try append(node.id, store: store) { () throws(StoreError) in
            try TreePath.path(of: node.number, in: store).map { TreeActivity(.changed, $0, bytes: size) }
        }
    }

    /// A directory's times follow its entries: nothing to tell.
    mutating func changedAttributes(
        of node: LocalNode, to new: NodeAttributes, store: LocalStore
    ) throws(StoreError) {
        let old = node.attributes
        let isTold =
            old.mode != new.mode || old.uid != new.uid || old.gid != new.gid
            || old.extendedAttributes != new.extendedAttributes || (node.kind != .directory && old.mtime != new.mtime)
        guard isTold else { return }
        try append(node.id, store: store) { () throws(StoreError) in
            try TreePath.path(of: node.number, in: store).map { TreeActivity(.attributes, $0) }
        }
    }

    /// One line per node; beyond the limit they are only counted, for paths cost.
    private mutating func append(
        _ id: NodeID?, store: LocalStore, _ make: () throws(StoreError) -> TreeActivity?
    ) throws(StoreError) {
        if let id, !reported.insert(id).inserted { return }
        guard activities.count < TreeActivity.limit else { return left += 1 }
        if let activity = try make() { activities.append(activity) }
    }
}
