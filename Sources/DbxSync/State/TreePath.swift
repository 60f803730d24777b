package import DbxLocalStore
package import DbxModel

/// Paths from the mounted directory, as bytes joined by `/`; the directory itself has the empty one.
package enum TreePath {
    /// What a path leads to; symbolic links are not followed. Nil where there is nothing.
    package static func node(at path: [UInt8], in store: LocalStore) throws(StoreError) -> LocalNode? {
        var node = try store.node(.root)
        for part in path.split(separator: 0x2F) where Array(part) != [0x2E] {
            guard let directory = node, directory.kind == .directory, let name = Name(Array(part)) else { return nil }
            node = try store.lookup(directory.number, name)
        }
        return node
    }

    /// A path of the node (the first of several); nil for what no name leads to.
    package static func path(of number: InodeNumber, in store: LocalStore) throws(StoreError) -> [UInt8]? {
        var names: [[UInt8]] = []
        var current = number
        while current != .root {
            guard let entry = try store.entries(of: current).first, names.count < 4_096 else { return nil }
            names.append(entry.name.bytes)
            current = entry.parent
        }
        return Array(names.reversed().joined(separator: [0x2F]))
    }

    /// The directory itself and all above it.
    static func ancestors(of directory: InodeNumber, in store: LocalStore) throws(StoreError) -> [NodeID] {
        var ids = [try store.node(directory)?.id].compactMap(\.self)
        var current = directory
        while let above = try store.entries(of: current).first, !ids.contains(above.parentID) {
            ids.append(above.parentID)
            current = above.parent
        }
        return ids
    }

    package static func path(
        of name: Name, under directory: InodeNumber, in store: LocalStore
    ) throws(StoreError) -> [UInt8]? {
        try path(of: directory, in: store).map { path(of: name, under: $0) }
    }

    static func path(of name: Name, under above: [UInt8]) -> [UInt8] {
        above.isEmpty ? name.bytes : above + [0x2F] + name.bytes
    }
}
