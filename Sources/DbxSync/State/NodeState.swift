package import DbxLocalStore
package import DbxModel

/// How a file or folder stands to the server. Of several that hold the first counts, in the order of the cases.
package enum NodeState: String, Hashable, Sendable, Codable {
    /// The server will not take what was changed here.
    case refused
    /// Both sides changed it and both versions were kept; nobody has chosen yet.
    case conflicted
    /// Its content is on its way to the server right now.
    case uploading
    /// The server has never had it.
    case localOnly = "local-only"
    /// The server has an older state of it (or, of a folder, of something in it).
    case pending
    /// A folder of which it is not known here what is in it.
    case notListed = "not-listed"
    /// As on the server, which has all of its content; none of it is here.
    case onlineOnly = "online-only"
    /// As on the server; its content is here, at least in part.
    case synced
}

/// What only the engine knows of the nodes.
package struct SyncSituation: Sendable {
    /// Rows that the server refuses.
    package var refused: Set<NodeID>
    /// Versions of conflicts that nobody has settled.
    package var conflicted: Set<InodeNumber>
    package var uploading: Set<InodeNumber>

    package init(
        refused: Set<NodeID> = [], conflicted: Set<InodeNumber> = [], uploading: Set<InodeNumber> = []
    ) {
        self.refused = refused
        self.conflicted = conflicted
        self.uploading = uploading
    }

    /// The state of the node by itself: a folder's content is `PendingBelow`'s subject. With the store's lock held.
    package func state(of node: LocalNode, in store: LocalStore) throws(StoreError) -> NodeState {
        if refused.contains(node.id) { return .refused }
        if conflicted.contains(node.number) { return .conflicted }
        if uploading.contains(node.number) { return .uploading }
        if node.number != .root, node.isNew { return .localOnly }
        if node.isDirty { return .pending }
        if try isNameDirty(node, in: store) { return .pending }
        guard node.kind == .file else { return node.knowledge == .partial ? .notListed : .synced }
        let places = try store.places(of: node.number)
        let isElsewhere = places.remoteBytes > 0 && places.cachedBytes == 0 && places.stagingBytes == 0
        return isElsewhere ? .onlineOnly : .synced
    }

    /// Whether a name of it is new here, or one that it has on the server is gone here.
    private func isNameDirty(_ node: LocalNode, in store: LocalStore) throws(StoreError) -> Bool {
        if try store.entries(of: node.number).contains(where: { $0.dirty && !$0.isLocalOnly }) { return true }
        return try !store.dirtyEntries(baseNode: node.id).isEmpty
    }
}

/// What the server lacks in one folder and all below it, found among the dirty rows, so that it costs as much as there
/// is to send, not as there is in the folder. A value; each `step` is to be called with the store's lock held, which is
/// free in between.
package struct PendingBelow: Sendable {
    package struct Item: Hashable, Sendable {
        package var path: [UInt8]
        /// Nil where a name is gone here that the server still has.
        package var number: InodeNumber?
        package var state: NodeState?
    }

    private let folder: InodeNumber
    private let situation: SyncSituation
    private let itemLimit: Int
    /// Whether a directory is the folder or lies in it.
    private var isInside: [InodeNumber: Bool]
    private var counted: Set<InodeNumber> = []
    private var nodesAfter: Int64 = 0
    private var entriesAfter: Int64 = 0

    /// At most `itemLimit`; `count` knows of all.
    package private(set) var items: [Item] = []
    package private(set) var count = 0
    package private(set) var bytes: Int64 = 0
    package private(set) var refusedCount = 0
    package private(set) var uploadingCount = 0

    private static let batch = 500

    package init(_ folder: InodeNumber, situation: SyncSituation, itemLimit: Int) {
        self.folder = folder
        self.situation = situation
        self.itemLimit = itemLimit
        isInside = [folder: true]
    }

    /// Looks at the next rows; false when there are no more.
    package mutating func step(_ store: LocalStore) throws(StoreError) -> Bool {
        let nodes = try store.dirtyNodes(limit: Self.batch, afterChange: nodesAfter)
        for node in nodes {
            nodesAfter = max(nodesAfter, node.change)
            if !node.isOrphan, node.number != folder { try add(node, store) }
        }
        if nodes.count == Self.batch { return true }
        let entries = try store.dirtyEntries(limit: Self.batch, afterChange: entriesAfter)
        for entry in entries {
            entriesAfter = max(entriesAfter, entry.change)
            if try isInside(entry.parent, store) { try add(entry, store) }
        }
        return entries.count == Self.batch
    }

    private mutating func add(_ node: LocalNode, _ store: LocalStore) throws(StoreError) {
        var isBelow = false
        for name in try store.entries(of: node.number) where !isBelow { isBelow = try isInside(name.parent, store) }
        guard isBelow, counted.insert(node.number).inserted else { return }
        try count(node, TreePath.path(of: node.number, in: store), store)
    }

    private mutating func add(_ entry: LocalEntry, _ store: LocalStore) throws(StoreError) {
        let path = try TreePath.path(of: entry.name, under: entry.parent, in: store)
        guard let number = entry.number, let node = try store.node(number) else {
            return append(path, number: nil, state: nil)
        }
        if counted.insert(number).inserted { try count(node, path, store) }
    }

    private mutating func count(_ node: LocalNode, _ path: [UInt8]?, _ store: LocalStore) throws(StoreError) {
        let state = try situation.state(of: node, in: store)
        if state == .refused { refusedCount += 1 }
        if state == .uploading { uploadingCount += 1 }
        if node.contentDirty { bytes += try store.places(of: node.number).stagingBytes }
        append(path, number: node.number, state: state)
    }

    private mutating func append(_ path: [UInt8]?, number: InodeNumber?, state: NodeState?) {
        count += 1
        if items.count < itemLimit, let path { items.append(Item(path: path, number: number, state: state)) }
    }

    private mutating func isInside(_ directory: InodeNumber, _ store: LocalStore) throws(StoreError) -> Bool {
        var way: [InodeNumber] = []
        var current = directory
        var answer = false
        while way.count < 4_096 {
            if let known = isInside[current] {
                answer = known
                break
            }
            way.append(current)
            guard let above = try store.parent(of: current) else { break }
            current = above
        }
        for number in way { isInside[number] = answer }
        return answer
    }
}
