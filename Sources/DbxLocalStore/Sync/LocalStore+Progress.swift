package import DbxModel

/// What waits here for the server.
package struct PendingSummary: Hashable, Sendable {
    /// Nodes and names whose changes the server does not have.
    package var files: Int64
    package var bytes: Int64
    package var oldest: Timestamp?
}

/// Counts what waits here, some rows at a time, so that nobody waits for all of them: of what changes meanwhile it tells
/// one state or the other.
package struct PendingCount: Sendable {
    private var summary = PendingSummary(files: 0, bytes: 0)
    private var seenNode: Int64 = 0
    private var seenName: Int64?

    package init() {}

    /// Nil while there is more to count.
    package mutating func step(_ store: LocalStore) throws(StoreError) -> PendingSummary? {
        guard let seenName else {
            let page = try store.dirtyNodes(after: seenNode)
            summary.files += page.count
            summary.oldest = [summary.oldest, page.oldest].compactMap(\.self).min()
            if let last = page.last { seenNode = last } else { seenName = 0 }
            return nil
        }
        let page = try store.dirtyNames(after: seenName)
        summary.files += page.count
        self.seenName = page.last
        guard page.last == nil else { return nil }
        summary.bytes = max(0, store.stagingBytes - (try store.localOnlySummary().bytes))
        return summary
    }
}

/// Whether the server still lacks something that was changed here at or before a moment, looked for some rows at a time. A
/// file that is written to all the time counts as sent once a later state is.
package struct PendingSearch: Sendable {
    private let moment: Timestamp
    private let change: Int64
    private var seen: Int64?

    /// `change` is the store's `changeCounter` at that moment: it tells also where the clock was set back meanwhile.
    package init(changedBefore moment: Timestamp, change: Int64) {
        self.moment = moment
        self.change = change
    }

    /// Nil while there is more to look at. What changes meanwhile is looked at later: its change is a later one.
    package mutating func step(_ store: LocalStore) throws(StoreError) -> Bool? {
        guard let seen else {
            seen = change
            return try store.hasPending(upTo: change) ? true : nil
        }
        let page = try store.dirtyNodes(after: seen)
        if let oldest = page.oldest, oldest <= moment { return true }
        self.seen = page.last
        return page.last == nil ? false : nil
    }
}

extension LocalStore {
    private static let pageRows: Int64 = 4_096

    /// The number of the last local change.
    package var changeCounter: Int64 { change }

    package func pendingSummary() throws(StoreError) -> PendingSummary {
        var count = PendingCount()
        while true { if let summary = try count.step(self) { return summary } }
    }

    package func hasPending(changedBefore moment: Timestamp, change: Int64) throws(StoreError) -> Bool {
        var search = PendingSearch(changedBefore: moment, change: change)
        while true { if let answer = try search.step(self) { return answer } }
    }

    fileprivate func hasPending(upTo change: Int64) throws(StoreError) -> Bool {
        do {
            return try queryOne(
                """
                SELECT EXISTS (SELECT 1 FROM nodes
                        WHERE flags & 3 != 0 AND flags & 32 = 0 AND flags & 16 = 0 AND change <= ?1)
                    OR EXISTS (SELECT 1 FROM entries WHERE dirty = 1 AND change <= ?1)
                    OR EXISTS (SELECT 1 FROM commits)
                """, [change.sqlValue]
            ) { $0[0] as Bool } ?? false
        } catch {
            throw Self.storeError(error)
        }
    }

    /// A page of the dirty nodes behind a change: how many have a name, since when the oldest of these waits, and the
    /// page's last change; nil at the end.
    fileprivate func dirtyNodes(
        after change: Int64
    ) throws(StoreError) -> (count: Int64, oldest: Timestamp?, last: Int64?) {
        do {
            return try queryOne(
                """
                SELECT sum(named), min(CASE WHEN named THEN dirty_since END), max(change) FROM (
                    SELECT flags & 16 = 0 AS named, dirty_since, change FROM nodes
                    WHERE flags & 3 != 0 AND flags & 32 = 0 AND change > ? ORDER BY change LIMIT ?)
                """, [change.sqlValue, Self.pageRows.sqlValue]
            ) { ($0[0], ($0[1] as Int64?).map(Timestamp.init(nanoseconds:)), $0[2]) } ?? (0, nil, nil)
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The same of names.
    fileprivate func dirtyNames(after change: Int64) throws(StoreError) -> (count: Int64, last: Int64?) {
        do {
            return try queryOne(
                """
                SELECT count(*), max(change) FROM (
                    SELECT change FROM entries WHERE dirty = 1 AND change > ? ORDER BY change LIMIT ?)
                """, [change.sqlValue, Self.pageRows.sqlValue]
            ) { ($0[0], $0[1]) } ?? (0, nil)
        } catch {
            throw Self.storeError(error)
        }
    }
}
