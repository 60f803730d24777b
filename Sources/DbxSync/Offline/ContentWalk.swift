package import DbxLocalStore
import DbxModel

/// Goes through the contents of files at and below some nodes, each file once. A value; each `step` is to be called with
/// the store's lock held, which is free in between.
package struct ContentWalk: Sendable {
    private struct Folder {
        var number: InodeNumber
        var after: Int64 = 0
    }

    private var folders: [Folder] = []
    private var files: [InodeNumber] = []
    private var seen: Set<InodeNumber> = []

    private static let batch = 128

    package init(_ roots: [LocalNode]) {
        for root in roots {
            switch root.kind {
            case .directory: folders.append(Folder(number: root.number))
            case .file: files.append(root.number)
            default: break
            }
        }
        folders.reverse()
    }

    /// The folder that comes next, if it has to be listed first for the walk to miss nothing.
    package func unlisted(_ store: LocalStore) throws(StoreError) -> InodeNumber? {
        guard files.isEmpty, let folder = folders.last, try store.node(folder.number)?.knowledge == .partial else {
            return nil
        }
        return folder.number
    }

    /// The contents of some more files; nil when there are no more.
    package mutating func step(_ store: LocalStore) throws(StoreError) -> [NodeContent]? {
        if files.isEmpty {
            guard var folder = folders.popLast() else { return nil }
            let entries = try store.list(folder.number, after: folder.after, limit: Self.batch)
            if let last = entries.last, entries.count == Self.batch {
                folder.after = last.cookie
                folders.append(folder)
            }
            files = entries.filter { $0.kind == .file }.map(\.number)
            for entry in entries.reversed() where entry.kind == .directory {
                folders.append(Folder(number: entry.number))
            }
        }
        defer { files = [] }
        var found: [NodeContent] = []
        for file in files where seen.insert(file).inserted {
            found.append(try store.content(of: file))
        }
        return found
    }
}
