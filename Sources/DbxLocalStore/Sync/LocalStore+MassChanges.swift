package import DbxModel

/// Counting what the mass-change guard looks at.
extension LocalStore {
    /// How many nodes of the server's, born at `bornBefore` or earlier, would lose their last name or their content by
    /// local changes after this one.
    package func endangered(bornBefore: Timestamp, afterChange change: Int64) throws(StoreError) -> Int {
        do {
            return try queryOne(
                """
                SELECT (SELECT count(*) FROM nodes
                        WHERE flags & 16 != 0 AND seq != 0 AND birth <= ?1 AND \(Self.lostName(after: change)))
                    + (SELECT count(*) FROM nodes
                        WHERE flags & 2 != 0 AND flags & 48 = 0 AND seq != 0 AND kind = 0
                            AND birth <= ?1 AND content_change > ?2)
                """, [bornBefore.nanoseconds.sqlValue, change.sqlValue]
            ) { $0[0] as Int } ?? 0
        } catch {
            throw Self.storeError(error)
        }
    }

    /// What has been confirmed may be very much, so that only what came later is looked at.
    private static func lostName(after change: Int64) -> String {
        change == 0
            ? "EXISTS (SELECT 1 FROM entries WHERE dirty = 1 AND base_node = nodes.id AND change > ?2)"
            : "id IN (SELECT base_node FROM entries WHERE dirty = 1 AND change > ?2 AND base_node IS NOT NULL)"
    }

    /// How many nodes the server has, as far as it is known here; counted up to `limit`.
    package func agreedNodeCount(upTo limit: Int) throws(StoreError) -> Int {
        do {
            return try queryOne(
                "SELECT count(*) FROM (SELECT 1 FROM nodes WHERE seq != 0 LIMIT ?)", [limit.sqlValue]
            ) { $0[0] as Int } ?? 0
        } catch {
            throw Self.storeError(error)
        }
    }
}
