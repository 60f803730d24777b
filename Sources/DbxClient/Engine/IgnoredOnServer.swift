import DbxLocalStore
import DbxModel
import DbxSync

/// What rules speak of and the server has all the same, in one part of the tree. A value.
struct IgnoredOnServer {
    struct Item {
        var number: InodeNumber
        var path: [UInt8]
    }

    /// What lies in a folder comes before it.
    private(set) var items: [Item] = []
    private(set) var report = IgnoreReport()

    private static let shownPaths = 200

    /// Goes through all of the part, with the lock free between its folders.
    static func find(
        below path: [UInt8], _ tree: IgnoreTree, in shared: SharedStore
    ) throws(StoreError) -> IgnoredOnServer {
        var found = IgnoredOnServer()
        guard let top = try shared.withStore({ store throws(StoreError) in try TreePath.node(at: path, in: store) })
        else { return found }
        try found.look(at: top, path, tree, shared)
        found.items.reverse()
        return found
    }

    /// Each thing before what lies in it.
    private mutating func look(
        at top: LocalNode, _ path: [UInt8], _ tree: IgnoreTree, _ shared: SharedStore
    ) throws(StoreError) {
        var waiting = [(node: top, path: path)]
        while let (node, path) = waiting.popLast() {
            let below = try shared.withStore { store throws(StoreError) -> [(LocalNode, [UInt8])] in
                try add(node, path, tree, store)
                guard node.kind == .directory, !node.isLocalOnly else { return [] }
                var children: [(LocalNode, [UInt8])] = []
                for entry in try store.list(node.number, after: 0, limit: .max) {
                    guard let child = try store.node(entry.number) else { continue }
                    children.append((child, path.isEmpty ? entry.name.bytes : path + [0x2F] + entry.name.bytes))
                }
                return children
            }
            waiting += below
        }
    }

    private mutating func add(
        _ node: LocalNode, _ path: [UInt8], _ tree: IgnoreTree, _ store: LocalStore
    ) throws(StoreError) {
        guard node.number != .root, !node.isNew else { return }
        var ignored = 0
        let names = try store.entries(of: node.number)
        for name in names {
            let found = try tree.match(name.name, in: name.parent, isDirectory: node.kind == .directory, store: store)
            if found?.match.isIgnored ?? false { ignored += 1 }
        }
        guard ignored > 0 else { return }
        let text = String(decoding: path, as: UTF8.self)
        guard ignored == names.count else { return report.skipped.append(text) }
        // One with several names is met at each.
        guard names.count == 1 || !items.contains(where: { $0.number == node.number }) else { return }
        items.append(Item(number: node.number, path: path))
        report.count += 1
        if node.kind == .file { report.bytes += node.size }
        if report.paths.count < Self.shownPaths { report.paths.append(text) }
    }
}
