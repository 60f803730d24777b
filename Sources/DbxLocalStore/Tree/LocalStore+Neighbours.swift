package import DbxModel

/// Where a file stands in its directory, in both orders in which programs go through one.
package struct FilePlace: Hashable, Sendable {
    package var directory: InodeNumber
    package var cookie: Int64
    package var name: Name

    package init(directory: InodeNumber, cookie: Int64, name: Name) {
        self.directory = directory
        self.cookie = cookie
        self.name = name
    }
}

package enum DirectoryOrder: Hashable, Sendable {
    /// As listings give the names.
    case listing
    /// As shells and `ls` sort them.
    case name
}

/// A name behind another one.
package struct Neighbour: Hashable, Sendable {
    package var place: FilePlace
    package var number: InodeNumber
    package var isFile: Bool
    package var size: Int64
}

extension LocalStore {
    /// One of the places of a file with several names; nil for what has none.
    package func place(of number: InodeNumber) throws(StoreError) -> FilePlace? {
        do {
            return try queryOne(
                "SELECT parent, cookie, name FROM entries WHERE child = ? LIMIT 1", [number.sqlValue]
            ) { row in
                guard let name = Name(row.bytes(2)) else { throw StoreError.corrupt("an entry's row") }
                return FilePlace(directory: InodeNumber(row[0]), cookie: row[1], name: name)
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// What comes behind a place of its directory, at most `limit` names.
    package func neighbours(
        behind place: FilePlace, in order: DirectoryOrder, limit: Int
    ) throws(StoreError) -> [Neighbour] {
        let column = order == .listing ? "cookie" : "name"
        let border = order == .listing ? place.cookie.sqlValue : place.name.bytes.sqlValue
        do {
            return try query(
                """
                SELECT entries.cookie, entries.name, entries.child, nodes.kind, nodes.size FROM entries
                JOIN nodes ON nodes.number = entries.child
                WHERE entries.parent = ? AND entries.\(column) > ? ORDER BY entries.\(column) LIMIT ?
                """, [place.directory.sqlValue, border, Int64(clamping: limit).sqlValue]
            ) { row in
                guard let name = Name(row.bytes(1)) else { throw StoreError.corrupt("an entry's row") }
                let kind: Int = row[3]
                return Neighbour(
                    place: FilePlace(directory: place.directory, cookie: row[0], name: name),
                    number: InodeNumber(row[2]), isFile: kind == NodeKind.allCases.firstIndex(of: .file), size: row[4])
            }
        } catch {
            throw Self.storeError(error)
        }
    }
}
