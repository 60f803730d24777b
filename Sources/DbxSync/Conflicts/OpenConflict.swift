package import DbxLocalStore
import DbxModel

/// A conflict that nobody has settled yet, as it stands now: what has the name, and where our version is.
package struct OpenConflict: Hashable, Sendable {
    package var record: KeptConflict
    /// From the mounted directory.
    package var path: [UInt8]
    package var keptAsPath: [UInt8]
    package var ours: LocalNode
    /// Nil where nothing has the name any more.
    package var theirs: LocalNode?
    /// What became of merging them, or is to; nil where that is not wanted.
    package var merge: KeptMerge?

    /// All of them. One whose copy was removed, renamed or moved has been settled by hand: it is forgotten. With the
    /// store's lock held.
    package static func all(in store: LocalStore) throws(StoreError) -> [OpenConflict] {
        let merges = Dictionary(grouping: try store.merges(), by: \.parent)
        var open: [OpenConflict] = []
        for record in try store.conflicts() {
            guard let ours = try store.lookup(record.parent, record.keptAs), ours.number == record.copy,
                let path = try TreePath.path(of: record.name, under: record.parent, in: store),
                let keptAsPath = try TreePath.path(of: record.keptAs, under: record.parent, in: store)
            else {
                try store.forgetConflict(in: record.parent, keptAs: record.keptAs)
                continue
            }
            open.append(
                OpenConflict(
                    record: record, path: path, keptAsPath: keptAsPath, ours: ours,
                    theirs: try store.lookup(record.parent, record.name),
                    merge: merges[record.parent]?.first { $0.keptAs == record.keptAs }))
        }
        return open
    }

    /// The file that ours can be merged into: the one that has the name, else the one that once got it, wherever it was
    /// moved.
    package func target(in store: LocalStore) throws(StoreError) -> LocalNode? {
        if let theirs { return theirs.kind == .file && theirs.number != ours.number ? theirs : nil }
        guard let merge, let moved = try store.node(merge.theirs), moved.kind == .file, !moved.isOrphan else {
            return nil
        }
        return moved
    }
}
