package import DbxModel

/// Reading the rows that sync works on.
extension LocalStore {
    private static let entryColumns = """
        entries.parent, parents.id, entries.name, entries.child, children.id, entries.base, entries.base_node, \
        entries.dirty, entries.change, entries.parted
        """
    private static let entrySource = """
        FROM entries JOIN nodes AS parents ON parents.number = entries.parent
        LEFT JOIN nodes AS children ON children.number = entries.child
        """

    func entries(_ condition: String, _ values: [SQLValue]) throws(StoreError) -> [LocalEntry] {
        do {
            return try query("SELECT \(Self.entryColumns) \(Self.entrySource) WHERE \(condition)", values) { row in
                guard let parentID = NodeID(bytes: row.bytes(1)), let name = Name(row.bytes(2)) else {
                    throw StoreError.corrupt("an entry's row")
                }
                let child: Int64? = row[3]
                let id = row.bytesIfPresent(4).flatMap { NodeID(bytes: $0) }
                let state: Int64 = row[7]
                return LocalEntry(
                    parent: InodeNumber(row[0]), parentID: parentID, name: name, number: child.map(InodeNumber.init),
                    node: id, base: Seq(row[5]),
                    baseNode: state == 0 ? id : row.bytesIfPresent(6).flatMap { NodeID(bytes: $0) },
                    dirty: state != 0, isLocalOnly: state >= 2, change: row[8], parted: row[9])
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func entry(parent: NodeID, name: Name) throws(StoreError) -> LocalEntry? {
        guard let directory = try node(parent) else { return nil }
        return try entries(
            "entries.parent = ? AND entries.name = ?", [directory.number.sqlValue, name.bytes.sqlValue]
        ).first
    }

    /// Names that lead to the node here, clean and dirty.
    package func entries(of number: InodeNumber) throws(StoreError) -> [LocalEntry] {
        try entries("entries.child = ? ORDER BY entries.parent, entries.name", [number.sqlValue])
    }

    /// Of what may go to the server, in the order of their last change.
    package func dirtyEntries(limit: Int, afterChange change: Int64) throws(StoreError) -> [LocalEntry] {
        try entries(
            "entries.dirty = 1 AND entries.change > ? ORDER BY entries.change LIMIT ?",
            [change.sqlValue, Int64(clamping: limit).sqlValue])
    }

    /// Those that changed last, behind `change`, in the same order.
    package func newestDirtyEntries(limit: Int, afterChange change: Int64) throws(StoreError) -> [LocalEntry] {
        try entries(
            "entries.dirty = 1 AND entries.change > ? ORDER BY entries.change DESC LIMIT ?",
            [change.sqlValue, Int64(clamping: limit).sqlValue]
        ).reversed()
    }

    package func dirtyEntries(under directory: InodeNumber) throws(StoreError) -> [LocalEntry] {
        try entries(
            "entries.parent = ? AND entries.dirty = 1 ORDER BY entries.name", [directory.sqlValue])
    }

    /// Dirty names under which the server has the node.
    package func dirtyEntries(baseNode id: NodeID) throws(StoreError) -> [LocalEntry] {
        try entries(
            "entries.dirty = 1 AND entries.base_node = ? ORDER BY entries.parent, entries.name", [id.bytes.sqlValue])
    }

    /// In the order of their last change, without those that the server will never know: many have no name any more in the
    /// moment after something was unpacked and removed.
    package func dirtyNodes(limit: Int, afterChange change: Int64) throws(StoreError) -> [LocalNode] {
        try dirtyNodes("change", limit: limit, afterChange: change)
    }

    /// Those that changed last, behind `change`, in the same order.
    package func newestDirtyNodes(limit: Int, afterChange change: Int64) throws(StoreError) -> [LocalNode] {
        try dirtyNodes("change DESC", limit: limit, afterChange: change).reversed()
    }

    private func dirtyNodes(
        _ order: String, limit: Int, afterChange change: Int64
    ) throws(StoreError) -> [LocalNode] {
        do {
            return try nodes(
                where: """
                    flags & 3 != 0 AND flags & 32 = 0 AND (flags & 16 = 0 OR seq != 0) AND change > ?
                    ORDER BY \(order) LIMIT ?
                    """,
                [change.sqlValue, Int64(clamping: limit).sqlValue])
        } catch {
            throw Self.storeError(error)
        }
    }

    // MARK: Pages, deferred rows, commits

    package func stagePage(_ body: [UInt8]) throws(StoreError) {
        try transaction { try execute("INSERT INTO staged_pages (body) VALUES (?)", [body.sqlValue]) }
    }

    /// The staged pages in the order in which they came.
    package func forEachStagedPage(_ body: ([UInt8]) throws -> Void) throws(StoreError) {
        do {
            let numbers = try query("SELECT number FROM staged_pages ORDER BY number", [], { $0[0] as Int64 })
            for number in numbers {
                let page = try queryOne(
                    "SELECT body FROM staged_pages WHERE number = ?", [number.sqlValue]
                ) { $0.bytes(0) }
                if let page { try body(page) }
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func clearStaged() throws(StoreError) {
        try transaction { try execute("DELETE FROM staged_pages") }
    }

    package func deferRemote(_ id: NodeID, _ body: [UInt8]) throws(StoreError) {
        mayHaveDeferred = true
        try transaction {
            try execute(
                "INSERT INTO deferred (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                [id.bytes.sqlValue, body.sqlValue])
        }
    }

    package func deferred(_ id: NodeID) throws(StoreError) -> [UInt8]? {
        do {
            return try queryOne("SELECT body FROM deferred WHERE id = ?", [id.bytes.sqlValue]) { $0.bytes(0) }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Whether something may be to be done when the file is closed.
    package func mayWaitForClose(of number: InodeNumber) -> Bool { mayHaveDeferred || keptNodes.contains(number) }

    package func deferredNodes() throws(StoreError) -> [NodeID] {
        do {
            let nodes = try query("SELECT id FROM deferred ORDER BY id") { NodeID(bytes: $0.bytes(0)) }
            mayHaveDeferred = !nodes.isEmpty
            return nodes.compactMap(\.self)
        } catch {
            throw Self.storeError(error)
        }
    }

    package func removeDeferred(_ id: NodeID) throws(StoreError) {
        try transaction { try execute("DELETE FROM deferred WHERE id = ?", [id.bytes.sqlValue]) }
    }

    /// A commit that is about to be sent: its body is resent unchanged until it is answered. One more may be saved before
    /// this one is settled.
    package struct InFlightCommit: Sendable {
        package var id: CommitID
        package var body: [UInt8]
        /// What the caller needs to finish it.
        package var covered: [UInt8]

        package init(id: CommitID, body: [UInt8], covered: [UInt8]) {
            self.id = id
            self.body = body
            self.covered = covered
        }
    }

    package func saveCommit(_ commit: InFlightCommit) throws(StoreError) {
        try transaction {
            try execute(
                """
                INSERT INTO commits (id, body, covered, epoch, place)
                VALUES (?, ?, ?, ?, (SELECT coalesce(max(place), 0) + 1 FROM commits))
                """,
                [commit.id.bytes.sqlValue, commit.body.sqlValue, commit.covered.sqlValue, epoch.sqlValue])
            hasPlannedCommit = false
        }
    }

    /// The first one.
    package func commitInFlight() throws(StoreError) -> InFlightCommit? {
        do {
            return try queryOne("SELECT id, body, covered FROM commits ORDER BY place LIMIT 1") { row in
                guard let id = CommitID(bytes: row.bytes(0)) else { throw StoreError.corrupt("a commit's row") }
                return InFlightCommit(id: id, body: row.bytes(1), covered: row.bytes(2))
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func removeCommit(_ id: CommitID) throws(StoreError) {
        try transaction { try execute("DELETE FROM commits WHERE id = ?", [id.bytes.sqlValue]) }
    }
}
