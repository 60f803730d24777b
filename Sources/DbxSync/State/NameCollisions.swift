package import DbxLocalStore
package import DbxModel

/// Names of one folder that differ only by case or by the Unicode form of a character. They are kept apart here; another
/// system, or a person, may take them for one.
package enum NameCollisions {
    /// Groups of two and more, in the order of their first names. Pure.
    package static func groups(_ names: [Name]) -> [[Name]] {
        var byFold: [String: [Name]] = [:]
        for name in names {
            // Strings that differ only in their Unicode form are equal in Swift.
            guard let text = String(validating: name.bytes, as: UTF8.self) else { continue }
            byFold[text.lowercased(), default: []].append(name)
        }
        return byFold.values.filter { $0.count > 1 }.map { $0.sorted() }.sorted { $0[0] < $1[0] }
    }
}

/// Looks for collisions in a folder and all below it, one folder a step. A value; each `step` is to be called with the
/// store's lock held, which is free in between.
package struct CollisionSearch: Sendable {
    private var folders: [InodeNumber]
    private var left: Int
    /// Paths from the mounted directory.
    package private(set) var groups: [[[UInt8]]] = []
    /// Not all entries were looked at.
    package private(set) var isCut = false

    /// Looks at no more than about `limit` entries.
    package init(_ folder: InodeNumber, limit: Int) {
        folders = [folder]
        left = limit
    }

    /// False when there is nothing left to look at.
    package mutating func step(_ store: LocalStore) throws(StoreError) -> Bool {
        guard let folder = folders.popLast() else { return false }
        guard left > 0 else {
            isCut = true
            return false
        }
        let entries = try store.list(folder, after: 0, limit: left)
        left -= entries.count
        for entry in entries where entry.kind == .directory { folders.append(entry.number) }
        for group in NameCollisions.groups(entries.map(\.name)) {
            var paths: [[UInt8]] = []
            for name in group {
                if let path = try TreePath.path(of: name, under: folder, in: store) { paths.append(path) }
            }
            groups.append(paths)
        }
        return true
    }
}
