package import DbxModel

/// Two versions were kept: which name they wanted, and where ours is. The list is of what happened on this device.
package struct KeptConflict: Hashable, Sendable {
    package var parent: InodeNumber
    package var name: Name
    package var keptAs: Name
    package var copy: InodeNumber
    package var at: Timestamp

    package init(parent: InodeNumber, name: Name, keptAs: Name, copy: InodeNumber, at: Timestamp) {
        self.parent = parent
        self.name = name
        self.keptAs = keptAs
        self.copy = copy
        self.at = at
    }
}

extension LocalStore {
    package func recordConflict(_ conflict: KeptConflict) throws(StoreError) {
        try transaction {
            try forgetMerge(in: conflict.parent, keptAs: conflict.keptAs)
            try execute(
                """
                INSERT INTO conflicts (parent, kept_as, name, copy, at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (parent, kept_as) DO UPDATE SET name = excluded.name, copy = excluded.copy, at = excluded.at
                """,
                [
                    conflict.parent.sqlValue, conflict.keptAs.bytes.sqlValue, conflict.name.bytes.sqlValue,
                    conflict.copy.sqlValue, conflict.at.nanoseconds.sqlValue,
                ])
        }
    }

    /// The oldest first.
    package func conflicts() throws(StoreError) -> [KeptConflict] {
        do {
            return try query("SELECT parent, kept_as, name, copy, at FROM conflicts ORDER BY at, parent, kept_as") {
                row in
                guard let keptAs = Name(row.bytes(1)), let name = Name(row.bytes(2)) else {
                    throw StoreError.corrupt("a conflict's row")
                }
                return KeptConflict(
                    parent: InodeNumber(row[0]), name: name, keptAs: keptAs, copy: InodeNumber(row[3]),
                    at: Timestamp(nanoseconds: row[4]))
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func forgetConflict(in parent: InodeNumber, keptAs: Name) throws(StoreError) {
        try transaction {
            try forgetMerge(in: parent, keptAs: keptAs)
            try execute(
                "DELETE FROM conflicts WHERE parent = ? AND kept_as = ?", [parent.sqlValue, keptAs.bytes.sqlValue])
        }
    }
}
