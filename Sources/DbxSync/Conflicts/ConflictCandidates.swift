package import DbxLocalStore
package import DbxModel
import DbxWire

/// Which local contents a pull may have to compare with the server's, so that they can be hashed before the store's lock
/// is taken to apply it. A value; to be used with the lock held. Reads only.
package struct ConflictCandidates {
    private let store: LocalStore
    /// Of the contents that came: another size cannot be the same.
    private var sizes: Set<Int64> = []
    private var found: Set<InodeNumber> = []
    private var bytesLeft: Int64 = 256 << 20

    /// What is larger, or more, is kept twice without a look.
    private static let largestBytes: Int64 = 64 << 20
    private static let mostFiles = 1_000

    private init(_ store: LocalStore) { self.store = store }

    /// Among the pages of a pull.
    package static func among(_ pages: PulledPages, in store: LocalStore) throws -> [InodeNumber] {
        // Nothing was changed here: the common case, without a look at the pages.
        guard try !store.dirtyNodes(limit: 1, afterChange: 0).isEmpty else { return [] }
        var candidates = ConflictCandidates(store)
        try pages.forEach(store) { page in
            candidates.sizes.formUnion(page.nodes.filter { $0.contentHash != nil }.map(\.size))
        }
        guard !candidates.sizes.isEmpty else { return [] }
        try pages.forEach(store) { page in try candidates.look(at: page) }
        return candidates.found.sorted()
    }

    /// For the rows that waited for the file to be closed.
    package static func deferred(_ id: NodeID, in store: LocalStore) throws -> [InodeNumber] {
        guard let bytes = try store.deferred(id), let local = try store.node(id) else { return [] }
        var candidates = ConflictCandidates(store)
        candidates.sizes = [try WireJSON.decode(DeferredRows.self, from: bytes).node.size]
        try candidates.consider(versionsOf: local)
        return candidates.found.sorted()
    }

    private mutating func look(at page: ChangesPage) throws {
        for row in page.nodes where row.contentHash != nil {
            guard let local = try store.node(row.id), row.contentSeq > local.contentSeq else { continue }
            try consider(versionsOf: local)
        }
        for row in page.entries where row.node != nil {
            guard let parent = try store.node(row.parent), let local = try store.lookup(parent.number, row.name),
                local.id != row.node
            else { continue }
            try consider(local)
        }
    }

    /// The file itself, or what took its names here.
    private mutating func consider(versionsOf node: LocalNode) throws {
        guard node.isOrphan else { return try consider(node) }
        for entry in try store.dirtyEntries(baseNode: node.id) {
            if let other = try entry.number.flatMap({ try store.node($0) }) { try consider(other) }
        }
    }

    /// A new folder may be merged with the server's, and so what lies in it.
    private mutating func consider(_ node: LocalNode) throws {
        guard found.count < Self.mostFiles else { return }
        if node.kind == .directory, node.isNew {
            for entry in try store.list(node.number, after: 0, limit: .max) {
                if let child = try store.node(entry.number) { try consider(child) }
            }
        } else if node.kind == .file, node.contentDirty, node.size <= min(Self.largestBytes, bytesLeft),
            sizes.contains(node.size), found.insert(node.number).inserted
        {
            bytesLeft -= node.size
        }
    }
}
