import DbxModel

extension SQLTransaction {
    func commit(_ id: CommitID, in namespace: NamespaceID) throws(StoreError) -> CommitRecord? {
        try row(JournalStatements.commitByID, [SQLValue(namespace), SQLValue(id)], Self.commit)
    }

    func commit(at seq: Seq, in namespace: NamespaceID) throws(StoreError) -> CommitRecord? {
        try row(JournalStatements.commitAt, [SQLValue(namespace), SQLValue(seq)], Self.commit)
    }

    func ownCommits(in namespace: NamespaceID, after: Seq) throws(StoreError) -> Int {
        try row(JournalStatements.ownCommits, [SQLValue(namespace), SQLValue(after)]) { row throws(StoreError) in
            try row.count()
        } ?? 0
    }

    func insert(_ commit: CommitRecord, in namespace: NamespaceID) throws(StoreError) {
        try run(
            JournalStatements.insertCommit,
            [
                SQLValue(namespace), SQLValue(commit.seq), SQLValue(commit.id), .bytes(commit.digest),
                .bytes(commit.chain), SQLValue(commit.device), SQLValue(commit.committedAt),
                .integer(commit.usedBytes), SQLValue(commit.limitBytes),
            ])
    }

    func rowSeqs(in namespace: NamespaceID, after: Seq, limit: Int) throws(StoreError) -> [Seq] {
        let values = [SQLValue(namespace), SQLValue(after), SQLValue(limit)]
        let seq = { (row: inout RowReader) throws(StoreError) in try row.seq() }
        let all =
            try rows(TreeStatements.nodeSeqs, values, seq) + rows(TreeStatements.entrySeqs, values, seq)
            + rows(ContentStatements.segmentSeqs, values, seq)
            + rows(BlockStatements.namespaceBlockSeqs, values, seq)
        return Array(all.sorted().prefix(limit))
    }

    func insertNotice(_ notice: HeadRecord) throws(StoreError) {
        try run(JournalStatements.insertNotice, [SQLValue(notice.namespace), SQLValue(notice.seq)])
    }

    func notices(limit: Int) throws(StoreError) -> [HeadRecord] {
        try rows(JournalStatements.notices, [SQLValue(limit)], Self.head)
    }

    func deleteNotice(_ notice: HeadRecord) throws(StoreError) {
        try run(JournalStatements.deleteNotice, [SQLValue(notice.namespace), SQLValue(notice.seq)])
    }

    static func commit(_ row: inout RowReader) throws(StoreError) -> CommitRecord {
        CommitRecord(
            seq: try row.seq(), id: try row.id(), digest: try row.bytes(), chain: try row.bytes(),
            device: try row.optionalID(), committedAt: try row.timestamp(), usedBytes: try row.int64(),
            limitBytes: try row.optionalInt64())
    }
}

extension SQLTransaction {
    func userCount() throws(StoreError) -> Int { try count(StatusStatements.users) }
    func deviceCount() throws(StoreError) -> Int { try count(StatusStatements.devices) }
    func nodeCount() throws(StoreError) -> Int { try count(StatusStatements.nodes) }
    func storedBlocks() throws(StoreError) -> BlockTotals { try totals(StatusStatements.storedBlocks) }
    func liveBlocks() throws(StoreError) -> BlockTotals { try totals(StatusStatements.liveBlocks) }

    func hasRow(for object: ObjectKey) throws(StoreError) -> Bool {
        if try block(object.block)?.generation == object.generation { return true }
        guard object == PackPlace.key(ofPack: object.block) else { return false }
        return try row(BlockStatements.pack, [SQLValue(object.block)]) { row throws(StoreError) in try row.block() }
            != nil
    }

    func blocks(after: BlockID?, limit: Int) throws(StoreError) -> [BlockRecord] {
        try rows(StatusStatements.blocksAfter, [.bytes(after?.bytes ?? []), SQLValue(limit)], Self.block)
    }

    func usage(of user: UserID) throws(StoreError) -> UsageRecord? {
        try row(StatusStatements.usageOfUser, [SQLValue(user)]) { row throws(StoreError) in
            UsageRecord(
                usedBytes: try row.int64(), limitBytes: try row.optionalInt64(), devices: try row.count())
        }
    }

    private func totals(_ statement: StatusStatements) throws(StoreError) -> BlockTotals {
        try row(statement, []) { row throws(StoreError) in
            BlockTotals(blocks: try row.count(), bytes: try row.int64())
        } ?? BlockTotals(blocks: 0, bytes: 0)
    }
}
