package import DbxLocalStore
import DbxModel
package import DbxSystem

extension FileSystem {
    /// Where `.` and `..` stand; an entry's place is its cookie beyond these.
    private static let placesBeforeEntries: Int64 = 2

    /// Up to `limit` items of a directory after the place `offset` (0: from the beginning), `.` and `..` first; none at
    /// the end. An entry that exists all the time is seen once, whatever else comes and goes.
    /// In a directory that is known in part the caller asks `knowsNext` before.
    ///
    /// With attributes no reference is counted: the caller gives `remember` those that it passes on to the kernel.
    package func list(
        _ directory: InodeNumber, after offset: Int64, limit: Int, withAttributes: Bool
    ) throws(Errno) -> [DirectoryItem] {
        guard offset >= 0 else { throw .invalidArgument }
        let now = time.now()
        let (items, nodes, isAccessDue) = try inStore { store in
            let node = try store.requireDirectory(directory)
            var items = try Self.dots(node, after: offset, store: store)
            var shown: [LocalNode] = []
            let cookie = max(0, offset - Self.placesBeforeEntries)
            for entry in try store.list(directory, after: cookie, limit: limit) {
                if withAttributes, let node = try store.node(entry.number) { shown.append(node) }
                items.append(
                    DirectoryItem(
                        name: entry.name.bytes, number: entry.number, kind: entry.kind,
                        next: entry.cookie + Self.placesBeforeEntries))
            }
            return (items, shown, node.isAccessTimeDue(now))
        }
        if isAccessDue { self.nodes.setAccessTime(of: directory, now) }
        guard withAttributes else { return items }
        let byNumber = Dictionary(nodes.map { ($0.number, attributes($0)) }) { first, _ in first }
        return items.map { item in
            var item = item
            if !item.isDot { item.attributes = byNumber[item.number] }
            return item
        }
    }

    /// Whether `list` can answer. What it refuses for other reasons counts as known.
    package func knowsNext(in directory: InodeNumber, after offset: Int64) -> Bool {
        (try? inStore { store in try Self.knowsNext(in: directory, after: offset, store) }) ?? true
    }

    /// EAGAIN where `list` could not answer.
    package func requireNext(in directory: InodeNumber, after offset: Int64) throws(Errno) {
        guard try inStore({ store in try Self.knowsNext(in: directory, after: offset, store) }) else {
            throw .wouldBlock
        }
    }

    private static func knowsNext(in directory: InodeNumber, after offset: Int64, _ store: LocalStore) throws -> Bool {
        guard try store.node(directory)?.knowledge == .partial, offset >= placesBeforeEntries else { return true }
        return try !store.list(directory, after: offset - placesBeforeEntries, limit: 1).isEmpty
    }

    /// The kernel has been given these nodes.
    package func remember(_ number: InodeNumber) { nodes.remember(number) }

    private static func dots(
        _ directory: LocalNode, after offset: Int64, store: LocalStore
    ) throws -> [DirectoryItem] {
        var items: [DirectoryItem] = []
        if offset < 1 {
            items.append(DirectoryItem(name: [0x2E], number: directory.number, kind: .directory, next: 1))
        }
        if offset < 2 {
            let parent = try store.parent(of: directory.number) ?? directory.number
            items.append(DirectoryItem(name: [0x2E, 0x2E], number: parent, kind: .directory, next: 2))
        }
        return items
    }
}
