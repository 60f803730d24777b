package import DbxModel

extension LocalStore {
    /// The number of the last local change.
    package var changeCounter: Int64 { change }

    /// Whether the server still lacks something that was changed here at or before this moment; `change` is
    /// `changeCounter` then: it tells also where the clock was set back meanwhile. A file that is written to all the time
    /// counts as sent once a later state is.
    package func hasPending(changedBefore moment: Timestamp, change: Int64) throws(StoreError) -> Bool {
        do {
            return try queryOne(
                """
                SELECT EXISTS (SELECT 1 FROM nodes WHERE flags & 3 != 0 AND flags & 32 = 0 AND flags & 16 = 0
                        AND (dirty_since <= ?1 OR change <= ?2))
                    OR EXISTS (SELECT 1 FROM entries WHERE dirty = 1 AND change <= ?2)
                    OR EXISTS (SELECT 1 FROM commits)
                """, [moment.nanoseconds.sqlValue, change.sqlValue]
            ) { $0[0] as Bool } ?? false
        } catch {
            throw Self.storeError(error)
        }
    }
}
