import DbxFileSystem
package import DbxLocalStore
import DbxModel
import DbxSync
package import DbxSystem
import Synchronization

/// How files and folders stand to the server: for `dbxfs status PATH` and the attributes `user.dbxfs.*`.
extension Engine: SyncStateReporting {
    var situation: SyncSituation {
        let open = (try? openConflicts()) ?? []
        let conflicted = Set(open.flatMap { [$0.ours.number, $0.theirs?.number].compactMap(\.self) })
        return SyncSituation(
            refused: Set(report.current.held.keys), conflicted: conflicted, uploading: uploadingFiles)
    }

    func openConflicts() throws(StoreError) -> [OpenConflict] {
        try parts.shared.withStore { store throws(StoreError) in try OpenConflict.all(in: store) }
    }

    /// Of the whole mount; kept as long as nothing changes, for a large tree takes a while.
    func collisions() -> CollisionSearch {
        let state = treeState
        if let known = knownCollisions.withLock({ $0 }), known.state == state { return known.search }
        let search = (try? collisions(below: .root)) ?? CollisionSearch(.root, limit: 0)
        knownCollisions.withLock { $0 = (state, search) }
        return search
    }

    var treeState: TreeState {
        TreeState(change: parts.shared.withStore { $0.changeCounter }, pulls: report.current.pulls)
    }

    private func collisions(below folder: InodeNumber) throws(StoreError) -> CollisionSearch {
        var search = CollisionSearch(folder, limit: Self.collisionLimit)
        while try parts.shared.withStore({ store throws(StoreError) in try search.step(store) }) {}
        return search
    }

    private static let collisionLimit = 50_000

    /// `state`, `pinned`, `cached` and `pending`, the latter two in bytes and of files only.
    package func syncAttribute(_ name: [UInt8], of number: InodeNumber) throws(Errno) -> [UInt8]? {
        do throws(StoreError) {
            switch String(decoding: name, as: UTF8.self) {
            case "state": return try state(of: number).map { Array($0.rawValue.utf8) }
            case "cached": return try places(of: number).map { Array(String($0.cachedBytes + $0.stagingBytes).utf8) }
            case "pinned":
                let isPinned = try parts.shared.withStore { store throws(StoreError) in try store.isPinned(number) }
                return Array((isPinned ? "yes" : "no").utf8)
            case "pending": return try places(of: number).map { Array(String($0.stagingBytes).utf8) }
            default: return nil
            }
        } catch {
            throw .ioError
        }
    }

    private func places(of number: InodeNumber) throws(StoreError) -> ContentPlaces? {
        try parts.shared.withStore { store throws(StoreError) in
            guard try store.node(number)?.kind == .file else { return nil }
            return try store.places(of: number)
        }
    }

    private func state(of number: InodeNumber) throws(StoreError) -> NodeState? {
        let situation = situation
        let own = try parts.shared.withStore { store throws(StoreError) -> (NodeState, Bool)? in
            guard let node = try store.node(number) else { return nil }
            return (try situation.state(of: node, in: store), node.kind == .directory)
        }
        guard let (state, isFolder) = own, isFolder, state == .synced || state == .notListed else { return own?.0 }
        return try summary(of: number, try below(number, situation, itemLimit: 0), situation) ?? state
    }

    /// What a folder that is itself as on the server is called for what lies in it; nil: nothing.
    private func summary(
        of folder: InodeNumber, _ below: PendingBelow, _ situation: SyncSituation
    ) throws(StoreError) -> NodeState? {
        if below.refusedCount > 0 { return .refused }
        for number in situation.conflicted {
            let isBelow = try parts.shared.withStore { store throws(StoreError) -> Bool in
                guard let above = try store.parent(of: number) else { return false }
                return try store.isAncestor(folder, of: above)
            }
            if isBelow { return .conflicted }
        }
        if below.uploadingCount > 0 { return .uploading }
        return below.count > 0 ? .pending : nil
    }

    /// Goes through the dirty rows, with the lock free in between.
    private func below(
        _ number: InodeNumber, _ situation: SyncSituation, itemLimit: Int
    ) throws(StoreError) -> PendingBelow {
        var below = PendingBelow(number, situation: situation, itemLimit: itemLimit)
        while try parts.shared.withStore({ store throws(StoreError) in try below.step(store) }) {}
        return below
    }

    // MARK: dbxfs status PATH

    private static let itemLimit = 200

    /// Of each path, from the mounted directory.
    package func states(of paths: [[UInt8]]) throws(ClientFailure) -> [PathStatus] {
        var result: [PathStatus] = []
        for path in paths {
            let found: PathStatus?
            do throws(StoreError) {
                found = try status(of: path)
            } catch {
                throw ClientFailure(
                    .failed, "The local state cannot be read: \(error)", remedy: "See the daemon's log.")
            }
            guard let found else {
                throw ClientFailure(
                    .failed, "There is no “\(String(decoding: path, as: UTF8.self))”",
                    remedy: "See what there is with ls.")
            }
            result.append(found)
        }
        return result
    }

    private func status(of path: [UInt8]) throws(StoreError) -> PathStatus? {
        let situation = situation
        let held = report.current.held
        let found = try parts.shared.withStore { store throws(StoreError) -> (PathStatus, LocalNode)? in
            guard let node = try TreePath.node(at: path, in: store) else { return nil }
            let places = try store.places(of: node.number)
            var status = PathStatus(path: path, kind: node.kind, state: try situation.state(of: node, in: store))
            status.isIgnored = node.isLocalOnly
            status.isPinned = try store.isPinned(node.number)
            status.size = node.size
            status.cachedBytes = places.cachedBytes + places.stagingBytes
            status.pendingBytes = places.stagingBytes
            status.reason = held[node.id]?.reason
            status.remedy = held[node.id]?.remedy
            return (status, node)
        }
        guard let (own, node) = found, node.kind == .directory else { return found?.0 }
        var status = own
        let below = try below(node.number, situation, itemLimit: Self.itemLimit)
        if status.state == .synced || status.state == .notListed,
            let summary = try summary(of: node.number, below, situation)
        {
            status.state = summary
        }
        status.collisions = try collisions(below: node.number).groups.map { group in
            group.map { String(decoding: $0, as: UTF8.self) }
        }
        status.pendingBytes = below.bytes
        status.pendingCount = below.count
        status.items = below.items.map { item in
            PathItem(path: item.path, state: item.state)
        }
        return status
    }
}

/// Tells whether the tree may have changed.
struct TreeState: Hashable, Sendable {
    var change: Int64
    var pulls: Int64
}
