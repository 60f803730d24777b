import DbxModel

extension SQLTransaction {
    func contradictions() throws(StoreError) -> [Contradiction] {
        var found: [Contradiction] = []
        for statement in ConsistencyStatements.allCases {
            let count = try count(statement)
            if count > 0 { found.append(Contradiction(what: statement, count: count)) }
        }
        return found
    }

    func heads() throws(StoreError) -> [HeadRecord] { try rows(CheckStatements.heads, [], Self.head) }

    func commits(in namespace: NamespaceID, after: Seq, limit: Int) throws(StoreError) -> [CommitRecord] {
        let values = [SQLValue(namespace), SQLValue(after), SQLValue(limit)]
        return try rows(CheckStatements.commitsAfter, values, Self.commit)
    }

    func segmentReferences(in namespace: NamespaceID) throws(StoreError) -> SegmentReferences {
        var found = SegmentReferences()
        for row in try connection.query(CheckStatements.segments, [SQLValue(namespace)]) {
            var reader = RowReader(row)
            guard let segment = try? Self.segment(&reader) else {
                found.unreadable += 1
                continue
            }
            let key = [SQLValue(namespace)] + Self.key(of: segment)
            let references = try rows(CheckStatements.references, key) { row throws(StoreError) in try row.block() }
            if try references != blocks(of: segment, in: namespace) { found.wrong.append(segment) }
        }
        return found
    }

    func putReferences(of segment: SegmentRecord, in namespace: NamespaceID) throws(StoreError) {
        let key = [SQLValue(namespace)] + Self.key(of: segment)
        try run(CheckStatements.deleteReferences, key)
        for block in try blocks(of: segment, in: namespace) {
            try run(ContentStatements.insertReference, key + [SQLValue(block)])
        }
    }

    /// What a segment row has to refer to, in order: its blocks, and what those are encoded against.
    private func blocks(of segment: SegmentRecord, in namespace: NamespaceID) throws(StoreError) -> [BlockID] {
        var blocks = Set(segment.extents.map(\.block))
        for block in blocks {
            if let base = try namespaceBlock(block, in: namespace)?.base { blocks.insert(base) }
        }
        return blocks.sorted()
    }

    private static func key(of segment: SegmentRecord) -> [SQLValue] {
        [SQLValue(segment.node), .integer(segment.index), SQLValue(segment.from)]
    }

    func nodesOutOfReach(in namespace: NamespaceID) throws(StoreError) -> [NodeID] {
        try rows(CheckStatements.nodesOutOfReach, [SQLValue(namespace)]) { row throws(StoreError) in try row.id() }
    }

    func danglingEntries(in namespace: NamespaceID) throws(StoreError) -> [EntryRecord] {
        try rows(CheckStatements.danglingEntries, [SQLValue(namespace)], Self.entry)
    }

    func files(with block: BlockID) throws(StoreError) -> [AffectedFile] {
        try rows(CheckStatements.filesWithBlock, [SQLValue(block)]) { row throws(StoreError) in
            AffectedFile(namespace: try row.id(), node: try row.id())
        }
    }

    func lostBlocks() throws(StoreError) -> [BlockRecord] { try rows(CheckStatements.lostBlocks, [], Self.block) }

    func setLost(_ block: BlockID) throws(StoreError) {
        for statement in [CheckStatements.loseBlock, .loseReceipts, .deleteBody] {
            try run(statement, [SQLValue(block)])
        }
    }

    func derive() throws(StoreError) -> [(what: DerivationStatements, count: Int)] {
        var done: [(what: DerivationStatements, count: Int)] = []
        for statement in DerivationStatements.allCases {
            let count = try connection.run(statement, [])
            if count > 0 { done.append((statement, count)) }
        }
        return done
    }
}
