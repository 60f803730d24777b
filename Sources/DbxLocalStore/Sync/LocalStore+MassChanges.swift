package import DbxModel

/// Counting what the mass-change guard looks at.
extension LocalStore {
    /// How many nodes of the server's, born at `bornBefore` or earlier, would lose their last name or their content by
    /// local changes after this one.
    package func endangered(bornBefore: Timestamp, afterChange change: Int64) throws(StoreError) -> Int {
        let file = NodeKind.allCases.firstIndex(of: .file) ?? 0
        do {
            return try queryOne(
                """
                SELECT (SELECT count(*) FROM nodes WHERE flags & 16 != 0 AND seq != 0 AND birth <= ?1 AND EXISTS (
                        SELECT 1 FROM entries WHERE dirty = 1 AND base_node = nodes.id AND change > ?2))
                    + (SELECT count(*) FROM nodes WHERE flags & 3 != 0 AND flags & 32 = 0 AND flags & 18 = 2 AND seq != 0 AND kind = ?3
                        AND birth <= ?1 AND content_change > ?2)
                """, [bornBefore.nanoseconds.sqlValue, change.sqlValue, file.sqlValue]
            ) { $0[0] as Int } ?? 0
        } catch {
            throw Self.storeError(error)
        }
    }

    /// How many nodes the server has, as far as it is known here.
    package func agreedNodeCount() throws(StoreError) -> Int {
        do {
            return try queryOne("SELECT count(*) FROM nodes WHERE seq != 0") { $0[0] as Int } ?? 0
        } catch {
            throw Self.storeError(error)
        }
    }
}
