import DbxModel

extension SQLTransaction {
    func insert(_ namespace: NamespaceRecord) throws(StoreError) {
        try run(
            NamespaceStatements.insertNamespace,
            [
                SQLValue(namespace.id), SQLValue(namespace.org), SQLValue(namespace.owner),
                SQLValue(namespace.rootNode), .bytes(namespace.epoch), SQLValue(namespace.head),
                SQLValue(namespace.floor), .bytes(namespace.chain), SQLValue(namespace.limitBytes),
                .integer(namespace.usedBytes), .integer(namespace.pinnedBytes),
            ])
    }

    func namespace(_ id: NamespaceID) throws(StoreError) -> NamespaceRecord? {
        try row(NamespaceStatements.namespace, [SQLValue(id)], Self.namespace)
    }

    func takeSeq(in namespace: NamespaceID) throws(StoreError) -> NamespaceRecord? {
        try row(NamespaceStatements.takeSeq, [SQLValue(namespace)], Self.namespace)
    }

    func finishCommit(
        in namespace: NamespaceID, chain: [UInt8], usedBytes: Int64, pinnedBytes: Int64
    ) throws(StoreError) {
        try run(
            NamespaceStatements.finishCommit,
            [SQLValue(namespace), .bytes(chain), .integer(usedBytes), .integer(pinnedBytes)])
    }

    func pin(_ bytes: Int64, in namespace: NamespaceID) throws(StoreError) {
        try run(NamespaceStatements.pin, [SQLValue(namespace), .integer(bytes)])
    }

    func setLimit(_ bytes: Int64?, of namespace: NamespaceID) throws(StoreError) {
        try run(NamespaceStatements.setLimit, [SQLValue(namespace), SQLValue(bytes)])
    }

    func startEpoch(_ epoch: [UInt8]) throws(StoreError) { try run(NamespaceStatements.startEpoch, [.bytes(epoch)]) }

    func insert(_ membership: MembershipRecord, of user: UserID) throws(StoreError) {
        try run(
            NamespaceStatements.insertMember, [SQLValue(membership.namespace), SQLValue(user), .text(membership.role)])
    }

    func memberships(of user: UserID) throws(StoreError) -> [MembershipRecord] {
        try rows(NamespaceStatements.membershipsOfUser, [SQLValue(user)]) { row throws(StoreError) in
            MembershipRecord(namespace: try row.id(), role: try row.text())
        }
    }

    func heads(of user: UserID) throws(StoreError) -> [HeadRecord] {
        try rows(NamespaceStatements.headsOfUser, [SQLValue(user)], Self.head)
    }

    func insert(_ key: NamespaceKeyRecord) throws(StoreError) {
        try run(
            NamespaceStatements.insertKey,
            [
                SQLValue(key.namespace), SQLValue(key.id), .text(key.purpose.rawValue), .bytes(key.wrapped),
                SQLValue(key.current),
            ])
    }

    func keys(of namespace: NamespaceID) throws(StoreError) -> [NamespaceKeyRecord] {
        try rows(NamespaceStatements.keys, [SQLValue(namespace)]) { row throws(StoreError) in
            NamespaceKeyRecord(
                namespace: try row.id(), id: try row.id(), purpose: try row.choice(), wrapped: try row.bytes(),
                current: try row.bool())
        }
    }

    static func head(_ row: inout RowReader) throws(StoreError) -> HeadRecord {
        HeadRecord(namespace: try row.id(), seq: try row.seq())
    }

    private static func namespace(_ row: inout RowReader) throws(StoreError) -> NamespaceRecord {
        NamespaceRecord(
            id: try row.id(), org: try row.id(), owner: try row.id(), rootNode: try row.id(), epoch: try row.bytes(),
            head: try row.seq(), floor: try row.seq(), chain: try row.bytes(), limitBytes: try row.optionalInt64(),
            usedBytes: try row.int64(), pinnedBytes: try row.int64())
    }
}
