package import DbxLocalStore
import DbxModel
package import DbxWire

/// One thing that sync did to the tree on one side, as a person would tell it. A value.
package struct TreeActivity: Hashable, Sendable {
    package enum Action: String, Hashable, Sendable, Codable {
        case created
        /// New content, also by another file that took the name.
        case changed
        case renamed
        case deleted
        /// Permissions, owner, times, extended attributes.
        case attributes
        /// Bytes that a program read and that were not here.
        case content
        /// More than is worth a line each.
        case more
    }

    package var action: Action
    /// From the mounted directory.
    package var path: [UInt8]
    /// Where it was before, of `renamed`.
    package var from: [UInt8]?
    /// The size of the content, of `created` and `changed`; the number of things, of `more`.
    package var bytes: Int64

    package init(_ action: Action, _ path: [UInt8], from: [UInt8]? = nil, bytes: Int64 = 0) {
        self.action = action
        self.path = path
        self.from = from
        self.bytes = bytes
    }

    /// How many lines one commit or pull may make.
    package static let limit = 1_000

    static func limited(_ activities: [TreeActivity]) -> [TreeActivity] {
        guard activities.count > limit else { return activities }
        let left = TreeActivity(.more, [], bytes: Int64(activities.count - limit))
        return Array(activities.prefix(limit)) + [left]
    }
}

/// What a commit that the server has just taken told it. Tells renames from creations and removals by what the server had
/// under the names: it is given all entries and then all nodes, before they are settled here, with the store's lock held.
package struct SentReader {
    private var activities: [TreeActivity] = []
    /// Names that go away, by what they led to.
    private var removed: [NodeID: [UInt8]] = [:]
    private var arrived: [(node: LocalNode, path: [UInt8])] = []
    /// Nodes that took a name which something else had.
    private var replacing: Set<NodeID> = []
    /// The first name of each new node.
    private var created: [NodeID: [UInt8]] = [:]
    private var directories: [NodeID: [UInt8]] = [:]

    package init() {}

    package mutating func note(_ entry: EntryChange, in store: LocalStore) throws(StoreError) {
        guard let path = try path(of: entry, in: store) else { return }
        let before = entry.base == .zero ? nil : try store.entry(parent: entry.parent, name: entry.name)?.baseNode
        guard let id = entry.node, let node = try store.node(id) else {
            if let before { removed[before] = path }
            return
        }
        if before != nil, before != id { replacing.insert(id) }
        if !node.isNew { arrived.append((node, path)) } else if created[id] == nil { created[id] = path }
    }

    private mutating func path(of entry: EntryChange, in store: LocalStore) throws(StoreError) -> [UInt8]? {
        if directories[entry.parent] == nil, let parent = try store.node(entry.parent) {
            directories[entry.parent] = try TreePath.path(of: parent.number, in: store)
        }
        return directories[entry.parent].map { TreePath.path(of: entry.name, under: $0) }
    }

    package mutating func note(_ change: NodeChange, in store: LocalStore) throws(StoreError) {
        guard let node = try store.node(change.id) else { return }
        var path = created[node.id]
        if path == nil { path = try TreePath.path(of: node.number, in: store) }
        guard let path else { return }
        let size = change.content?.size ?? 0
        if node.isNew, !replacing.contains(node.id) {
            activities.append(TreeActivity(.created, path, bytes: size))
        } else if change.content != nil || node.isNew {
            activities.append(TreeActivity(.changed, path, bytes: size))
        } else {
            activities.append(TreeActivity(.attributes, path))
        }
    }

    package consuming func finish() -> [TreeActivity] {
        for (node, path) in arrived {
            if let from = removed.removeValue(forKey: node.id) {
                activities.append(TreeActivity(.renamed, path, from: from))
            } else {
                activities.append(TreeActivity(.created, path, bytes: node.size))
            }
        }
        let gone = removed.values.sorted { $0.lexicographicallyPrecedes($1) }
        return TreeActivity.limited(activities + gone.map { TreeActivity(.deleted, $0) })
    }
}
