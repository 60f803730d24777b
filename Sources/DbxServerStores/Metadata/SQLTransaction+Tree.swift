import DbxModel

extension SQLTransaction {
    func claim(_ node: NodeID, for namespace: NamespaceID) throws(StoreError) -> Bool {
        try connection.run(TreeStatements.claimNode, [SQLValue(node), SQLValue(namespace)]) == 1
    }

    func node(_ id: NodeID, in namespace: NamespaceID) throws(StoreError) -> NodeRecord? {
        try row(TreeStatements.node, [SQLValue(namespace), SQLValue(id)], Self.node)
    }

    func put(_ node: NodeRecord, in namespace: NamespaceID) throws(StoreError) {
        let attributes = node.attributes
        try run(
            TreeStatements.putNode,
            [
                SQLValue(namespace), SQLValue(node.id), SQLValue(node.seq), SQLValue(node.commit),
                SQLValue(node.deleted), .text(node.kind.rawValue), .integer(Int64(attributes.mode)),
                SQLValue(attributes.uid.map(Int64.init)), SQLValue(attributes.gid.map(Int64.init)),
                SQLValue(attributes.mtime), SQLValue(attributes.ctime), SQLValue(attributes.birthTime),
                .integer(Int64(bitPattern: attributes.rdev)),
                SQLValue(AttributeCoding.encode(attributes.extendedAttributes)), SQLValue(node.attributesSeq),
                SQLValue(node.contentSeq), .integer(node.encoding), .integer(node.size),
                .integer(node.allocatedBytes), SQLValue(node.contentHash), SQLValue(node.target),
                .integer(node.links),
            ])
    }

    func nodes(in namespace: NamespaceID, after: Seq, through: Seq) throws(StoreError) -> [NodeRecord] {
        try rows(TreeStatements.nodesBetween, [SQLValue(namespace), SQLValue(after), SQLValue(through)], Self.node)
    }

    func entry(parent: NodeID, name: Name, in namespace: NamespaceID) throws(StoreError) -> EntryRecord? {
        try row(TreeStatements.entry, [SQLValue(namespace), SQLValue(parent), .bytes(name.bytes)], Self.entry)
    }

    func put(_ entry: EntryRecord, in namespace: NamespaceID) throws(StoreError) {
        try run(
            TreeStatements.putEntry,
            [
                SQLValue(namespace), SQLValue(entry.parent), .bytes(entry.name.bytes), SQLValue(entry.node),
                SQLValue(entry.seq), SQLValue(entry.commit), SQLValue(entry.leftUnseen),
            ])
    }

    func entries(of node: NodeID, in namespace: NamespaceID) throws(StoreError) -> [EntryRecord] {
        try rows(TreeStatements.entriesOfNode, [SQLValue(namespace), SQLValue(node)], Self.entry)
    }

    func entries(
        inDirectory parent: NodeID, after: Name?, limit: Int, in namespace: NamespaceID
    ) throws(StoreError) -> [EntryRecord] {
        let values = [SQLValue(namespace), SQLValue(parent), .bytes(after?.bytes ?? []), SQLValue(limit)]
        return try rows(TreeStatements.entriesInDirectory, values, Self.entry)
    }

    func listing(
        of parent: NodeID, after: Name?, limit: Int, in namespace: NamespaceID
    ) throws(StoreError) -> [(entry: EntryRecord, node: NodeRecord?)] {
        let values = [SQLValue(namespace), SQLValue(parent), .bytes(after?.bytes ?? []), SQLValue(limit)]
        return try rows(TreeStatements.listing, values) { row throws(StoreError) in
            let entry = try Self.entry(&row)
            guard let id: NodeID = try row.optionalID() else { return (entry, nil) }
            return (entry, try Self.node(id, &row))
        }
    }

    func entries(in namespace: NamespaceID, after: Seq, through: Seq) throws(StoreError) -> [EntryRecord] {
        try rows(TreeStatements.entriesBetween, [SQLValue(namespace), SQLValue(after), SQLValue(through)], Self.entry)
    }

    private static func node(_ row: inout RowReader) throws(StoreError) -> NodeRecord { try node(row.id(), &row) }

    private static func node(_ id: NodeID, _ row: inout RowReader) throws(StoreError) -> NodeRecord {
        NodeRecord(
            id: id, seq: try row.seq(), commit: try row.optionalID(), deleted: try row.bool(),
            kind: try row.choice(), attributes: try attributes(&row), attributesSeq: try row.seq(),
            contentSeq: try row.seq(), encoding: try row.int64(), size: try row.int64(),
            allocatedBytes: try row.int64(), contentHash: try row.optionalBytes(), target: try row.optionalBytes(),
            links: try row.int64())
    }

    private static func attributes(_ row: inout RowReader) throws(StoreError) -> NodeAttributes {
        NodeAttributes(
            mode: UInt16(truncatingIfNeeded: try row.int64()),
            uid: try row.optionalInt64().map { UInt32(truncatingIfNeeded: $0) },
            gid: try row.optionalInt64().map { UInt32(truncatingIfNeeded: $0) }, mtime: try row.timestamp(),
            ctime: try row.timestamp(), birthTime: try row.timestamp(), rdev: UInt64(bitPattern: try row.int64()),
            extendedAttributes: try AttributeCoding.decode(try row.optionalBytes()))
    }

    static func entry(_ row: inout RowReader) throws(StoreError) -> EntryRecord {
        let parent: NodeID = try row.id()
        guard let name = Name(try row.bytes()) else { throw .corrupt("name of an entry in \(parent)") }
        return EntryRecord(
            parent: parent, name: name, node: try row.optionalID(), seq: try row.seq(), commit: try row.optionalID(),
            leftUnseen: try row.bool())
    }
}
