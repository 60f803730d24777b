package import DbxModel

/// How far the listing of a directory has come.
package struct ListingProgress: Hashable, Sendable {
    /// Names up to here are known, present or absent.
    package var through: Name
    /// Where the next page begins, as the server said.
    package var next: String

    package init(through: Name, next: String) {
        self.through = through
        self.next = next
    }
}

/// What is known of directories whose entries come from the server bit by bit.
extension LocalStore {
    /// Whether a change of the name can go up: what the server has there is known, and, after its data were put back to an
    /// older state, compared.
    package func isCompared(_ entry: LocalEntry, in directory: LocalNode) throws(StoreError) -> Bool {
        if directory.knowledge == .stale, !directory.isOrphan {
            guard let progress = try listingProgress(of: directory.number) else { return false }
            return entry.name <= progress.through
        }
        if entry.base > .zero { return true }
        return try knows(entry.name, in: directory)
    }

    /// Whether it is known what the server has under the name, if only that it has nothing.
    package func knows(_ name: Name, in directory: LocalNode) throws(StoreError) -> Bool {
        guard directory.knowledge == .partial else { return true }
        if let progress = try listingProgress(of: directory.number), name <= progress.through { return true }
        do {
            return try queryOne(
                "SELECT 1 FROM entries WHERE parent = ? AND name = ? AND base > 0",
                [directory.number.sqlValue, name.bytes.sqlValue]
            ) { _ in true } != nil
        } catch {
            throw Self.storeError(error)
        }
    }

    package func listingProgress(of directory: InodeNumber) throws(StoreError) -> ListingProgress? {
        do {
            return try queryOne("SELECT through, next FROM listings WHERE node = ?", [directory.sqlValue]) { row in
                guard let through = Name(row.bytes(0)) else { throw StoreError.corrupt("a listing's row") }
                return ListingProgress(through: through, next: String(decoding: row.bytes(1), as: UTF8.self))
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The listing has come so far; nil: it begins anew.
    package func setListingProgress(
        of directory: InodeNumber, _ progress: ListingProgress?
    ) throws(StoreError) {
        try transaction {
            guard let progress else {
                return try execute("DELETE FROM listings WHERE node = ?", [directory.sqlValue])
            }
            try execute(
                "INSERT OR REPLACE INTO listings (node, through, next) VALUES (?, ?, ?)",
                [directory.sqlValue, progress.through.bytes.sqlValue, Array(progress.next.utf8).sqlValue])
        }
    }

    package func setKnowledge(of directory: InodeNumber, _ knowledge: DirectoryKnowledge) throws(StoreError) {
        try transaction {
            guard var node = try node(directory), node.knowledge != knowledge else { return }
            node.knowledge = knowledge
            try save(node)
            try setListingProgress(of: directory, nil)
        }
    }

    /// Directories that are to be listed, those first that were known before.
    package func unlistedDirectories(limit: Int) throws(StoreError) -> [InodeNumber] {
        let stale = try staleDirectories(limit: limit)
        return try stale.isEmpty ? partialDirectories(limit: limit) : stale
    }

    /// In the order in which they were found: what lies nearer to the root comes first.
    package func partialDirectories(limit: Int) throws(StoreError) -> [InodeNumber] {
        do {
            return try query(
                "SELECT number FROM nodes WHERE flags & 64 != 0 AND flags & 16 = 0 ORDER BY number LIMIT ?",
                [limit.sqlValue]
            ) { InodeNumber($0[0]) }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Directories whose names are to be compared with the server's again.
    package func staleDirectories(limit: Int) throws(StoreError) -> [InodeNumber] {
        do {
            return try query(
                "SELECT number FROM nodes WHERE flags & 128 != 0 AND flags & 16 = 0 ORDER BY number LIMIT ?",
                [limit.sqlValue]
            ) { InodeNumber($0[0]) }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// What the server said does not fit to what is known here any more: all that was known in whole is to be listed again,
    /// also what was removed here and may come back.
    package func markDirectoriesStale() throws(StoreError) {
        try transaction {
            let directory = (NodeKind.allCases.firstIndex(of: .directory) ?? 0).sqlValue
            try execute(
                "UPDATE nodes SET flags = flags | 128 WHERE kind = ? AND seq > 0 AND flags & 64 = 0", [directory])
            try execute("DELETE FROM listings")
            nodes.removeAll()
        }
    }

    /// How many files, directories and others are known here.
    package func countOfNodes() throws(StoreError) -> Int {
        do {
            return try queryOne("SELECT count(*) FROM nodes") { $0[0] as Int } ?? 0
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Directories that something was put into here, under a name of which it is not known what the server has there. Asked
    /// for each piece of a listing and for each commit: however many such names a directory has, one of them is visited.
    package func directoriesWithBlindNames(limit: Int) throws(StoreError) -> [InodeNumber] {
        let blind = "entries INDEXED BY entries_blind WHERE \(Schema.isBlindName)"
        do {
            return try query(
                """
                WITH RECURSIVE parents (number) AS (
                    SELECT min(parent) FROM \(blind)
                        AND EXISTS (SELECT 1 FROM nodes WHERE flags & 64 != 0)
                    UNION ALL
                    SELECT (
                        SELECT min(parent) FROM \(blind) AND parent > parents.number
                    ) FROM parents WHERE number IS NOT NULL
                )
                SELECT nodes.number FROM parents CROSS JOIN nodes ON nodes.number = parents.number
                WHERE flags & 64 != 0 LIMIT ?
                """, [limit.sqlValue]
            ) { InodeNumber($0[0]) }
        } catch {
            throw Self.storeError(error)
        }
    }

    // MARK: Pages on their way

    /// A page of the directory is asked for: from now on it is remembered what pulls bring that the page may not have.
    package func beginListing(of directory: InodeNumber, with news: ListingUnderWay = ListingUnderWay()) {
        if listingsUnderWay[directory] == nil { listingsUnderWay[directory] = news }
    }

    /// The page has come, or will not. What pulls have brought meanwhile.
    @discardableResult
    package func endListing(of directory: InodeNumber) -> ListingUnderWay {
        listingsUnderWay.removeValue(forKey: directory) ?? ListingUnderWay()
    }

    /// What is on its way tells of a history that is none any more.
    package func endListings() { listingsUnderWay = [:] }

    package func isListing(_ directory: InodeNumber) -> Bool { listingsUnderWay[directory] != nil }

    /// The server has nothing under the name since `seq`.
    package func noteGone(_ name: Name, in directory: InodeNumber, seq: Seq) {
        listingsUnderWay[directory]?.gone[name] = seq
    }

    /// A node that is not known here has changed at `seq`.
    package func noteChanged(unknown id: NodeID, seq: Seq) {
        for directory in listingsUnderWay.keys { listingsUnderWay[directory]?.changed[id] = seq }
    }
}

/// What pulls have brought while a page of a directory's listing was on its way, and did not count because nothing of it
/// was known yet.
package struct ListingUnderWay: Hashable, Sendable {
    /// Names that were taken away, and when.
    package internal(set) var gone: [Name: Seq] = [:]
    /// Nodes that the page may have as they were before.
    package internal(set) var changed: [NodeID: Seq] = [:]

    package init() {}
}
