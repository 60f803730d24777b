package import DbxModel

/// A file that a program had open for writing when others removed or replaced its last name: what is written to it from
/// then on is nowhere else, and needs a name once it is closed.
package struct LostName: Hashable, Sendable {
    package var node: InodeNumber
    package var name: Name
    /// Where it was, and the directories above, the nearest first.
    package var parents: [NodeID]
    /// Of the content when the name was lost.
    package var contentChange: Int64

    package init(node: InodeNumber, name: Name, parents: [NodeID], contentChange: Int64) {
        self.node = node
        self.name = name
        self.parents = parents
        self.contentChange = contentChange
    }
}

/// A node with such a row is not removed while it is there.
extension LocalStore {
    private static let idBytes = 16

    package func keep(_ lost: LostName) throws(StoreError) {
        try transaction {
            try execute(
                """
                INSERT INTO lost_names (node, name, parents, content_change) VALUES (?, ?, ?, ?) ON CONFLICT (node)
                DO UPDATE SET name = excluded.name, parents = excluded.parents, content_change = excluded.content_change
                """,
                [
                    lost.node.sqlValue, lost.name.bytes.sqlValue, lost.parents.flatMap(\.bytes).sqlValue,
                    lost.contentChange.sqlValue,
                ])
            if keptNodes.insert(lost.node).inserted {
                undo.append { [unowned self] in keptNodes.remove(lost.node) }
            }
        }
    }

    package func lostName(of number: InodeNumber) throws(StoreError) -> LostName? {
        guard keptNodes.contains(number) else { return nil }
        do {
            return try queryOne(
                "SELECT name, parents, content_change FROM lost_names WHERE node = ?", [number.sqlValue]
            ) { row in
                guard let name = Name(row.bytes(0)) else { throw StoreError.corrupt("a lost name") }
                let ids = row.bytes(1)
                let parents = stride(from: 0, to: ids.count, by: Self.idBytes).compactMap {
                    NodeID(bytes: Array(ids[$0..<min($0 + Self.idBytes, ids.count)]))
                }
                return LostName(node: number, name: name, parents: parents, contentChange: row[2])
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Files that have lost their names so, and of which it is not decided yet what becomes of them.
    package var nodesWithLostNames: [InodeNumber] { keptNodes.sorted() }

    package func forgetLostName(of number: InodeNumber) throws(StoreError) {
        guard keptNodes.contains(number) else { return }
        try transaction {
            try execute("DELETE FROM lost_names WHERE node = ?", [number.sqlValue])
            keptNodes.remove(number)
            undo.append { [unowned self] in keptNodes.insert(number) }
        }
    }

    func loadLostNames() throws {
        keptNodes = Set(try query("SELECT node FROM lost_names") { InodeNumber($0[0]) })
    }
}
