import DbxModel

/// How much a rule keeps on this computer.
package struct LocalOnlySummary: Hashable, Sendable {
    /// Files, folders and everything else, each once.
    package var files: Int64 = 0
    package var bytes: Int64 = 0
}

/// What the rules of `.dbxfsignore` files keep from the server. Who decides is DbxSync's `LocalOnlySorter`; here the
/// decisions are kept, and what is made in a directory that is here only is here only from its first moment.
///
/// The invariants: a node that is here only is new; a name that is here only hides nothing of the server's (`baseNode` is
/// nil); a directory that the server has, or is to have, lies in none that is here only.
extension LocalStore {
    static let rulesName = Name(".dbxfsignore")

    package func localOnlySummary() throws(StoreError) -> LocalOnlySummary {
        do {
            return try queryOne("SELECT count(*), sum(allocated) FROM nodes WHERE flags & 32 != 0") { row in
                LocalOnlySummary(files: row[0], bytes: (row[1] as Int64?) ?? 0)
            } ?? LocalOnlySummary()
        } catch {
            throw Self.storeError(error)
        }
    }

    /// No older than the epoch: asked for every write while staging looks full.
    func localOnlyBytes() throws(StoreError) -> Int64 {
        if let known = knownLocalOnlyBytes, known.epoch == epoch { return known.bytes }
        let bytes = try localOnlySummary().bytes
        knownLocalOnlyBytes = (epoch, bytes)
        return bytes
    }

    /// The state of a name that is made in the directory now.
    func entryState(in parent: InodeNumber) throws -> Int64 { try existing(parent).isLocalOnly ? 3 : 1 }

    // MARK: Decisions

    /// Whether the node is here only from now on; what lies in a directory is reviewed.
    package func setLocalOnly(_ number: InodeNumber, _ isLocalOnly: Bool) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            guard node.isLocalOnly != isLocalOnly else { return }
            node.isLocalOnly = isLocalOnly
            node.change = nextChange()
            try save(node)
            if node.kind == .directory { try review(number) }
        }
    }

    /// The same for one name. Only where the server has nothing under it.
    package func setLocalOnly(_ entry: LocalEntry, _ isLocalOnly: Bool) throws(StoreError) {
        try transaction {
            let state: Int64 = try isLocalOnly ? (entryState(in: entry.parent) == 3 ? 3 : 2) : 1
            try execute(
                """
                UPDATE entries SET dirty = ?3, change = CASE WHEN ?3 = 1 THEN ?4 ELSE change END
                WHERE parent = ?1 AND name = ?2 AND base_node IS NULL AND dirty NOT IN (0, ?3)
                """,
                [entry.parent.sqlValue, entry.name.bytes.sqlValue, state.sqlValue, nextChange().sqlValue])
        }
    }

    /// The server has the node now, or is to have it: nothing on the way to it may be here only.
    package func uncover(_ directory: InodeNumber) throws(StoreError) {
        try transaction {
            var current = directory
            while try existing(current).isLocalOnly {
                try setLocalOnly(current, false)
                guard let name = try entries(of: current).first else { return }
                try execute(
                    "UPDATE entries SET dirty = 1, change = ? WHERE parent = ? AND name = ? AND dirty > 1",
                    [nextChange().sqlValue, name.parent.sqlValue, name.name.bytes.sqlValue])
                current = name.parent
            }
        }
    }

    /// Whether something in the new directory, however deep, is on the server. A name that is here only is not, whatever
    /// it leads to.
    package func holdsAgreed(_ directory: InodeNumber) throws(StoreError) -> Bool {
        let kind = NodeKind.allCases.firstIndex(of: .directory) ?? 0
        do {
            return try queryOne(
                """
                WITH RECURSIVE below (number) AS (VALUES (?1) UNION
                    SELECT entries.child FROM below JOIN entries ON entries.parent = below.number
                        JOIN nodes ON nodes.number = entries.child
                    WHERE nodes.kind = ?2 AND nodes.seq = 0 AND nodes.flags & 32 = 0)
                SELECT 1 FROM below JOIN entries ON entries.parent = below.number
                    JOIN nodes ON nodes.number = entries.child WHERE nodes.seq != 0 AND entries.dirty < 2 LIMIT 1
                """, [directory.sqlValue, kind.sqlValue]
            ) { _ in true } ?? false
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The server knows a node that was here only: its names are to be looked at.
    func becomeAgreed(_ node: inout LocalNode) throws {
        guard node.isLocalOnly else { return }
        node.isLocalOnly = false
        try review(node.number)
    }

    // MARK: Reading

    /// Names that a rule keeps here, without those in directories that are here only; in the order of their last change.
    package func ruledEntries(limit: Int, afterChange change: Int64) throws(StoreError) -> [LocalEntry] {
        try entries(
            "entries.dirty = 2 AND entries.change > ? ORDER BY entries.change LIMIT ?",
            [change.sqlValue, limit.sqlValue])
    }

    /// Names in the directory that differ from what the server has, in the order of their bytes.
    package func changedEntries(
        in directory: InodeNumber, after name: [UInt8], limit: Int
    ) throws(StoreError) -> [LocalEntry] {
        try entries(
            """
            entries.parent = ? AND entries.name > ? AND entries.dirty != 0 AND entries.child IS NOT NULL
            ORDER BY entries.name LIMIT ?
            """, [directory.sqlValue, name.sqlValue, limit.sqlValue])
    }

    // MARK: Reviews

    /// Has the node's names, and what lies in it, held against the rules again.
    package func review(_ number: InodeNumber) throws(StoreError) {
        try transaction {
            try execute("INSERT OR IGNORE INTO ignore_reviews (node) VALUES (?)", [number.sqlValue])
        }
    }

    package func nextReview() throws(StoreError) -> InodeNumber? {
        do {
            return try queryOne("SELECT node FROM ignore_reviews ORDER BY node LIMIT 1") { InodeNumber($0[0]) }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func endReview(_ number: InodeNumber) throws(StoreError) {
        try transaction { try execute("DELETE FROM ignore_reviews WHERE node = ?", [number.sqlValue]) }
    }

    /// Rules or the places of directories have changed.
    func reviewEverything() throws {
        if hasRules { try review(.everything) }
    }

    /// Of a node whose names have changed: those of new nodes under names that may go to the server are looked at anyway.
    func reviewNames(of node: LocalNode) throws {
        guard hasRules else { return }
        if node.kind == .directory, !node.isLocalOnly { try reviewEverything() }
        if try entries(of: node.number).contains(where: \.isLocalOnly) { try review(node.number) }
    }
}

extension InodeNumber {
    /// In reviews: all names that a rule may be about.
    package static let everything = InodeNumber(rawValue: 0)
}
