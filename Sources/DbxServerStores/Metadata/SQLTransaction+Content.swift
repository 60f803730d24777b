import DbxModel

extension SQLTransaction {
    func currentSegment(
        _ index: Int64, of node: NodeID, in namespace: NamespaceID
    ) throws(StoreError) -> SegmentRecord? {
        try row(
            ContentStatements.currentSegment, [SQLValue(namespace), SQLValue(node), .integer(index)], Self.segment)
    }

    func currentSegments(
        of node: NodeID, from index: Int64, in namespace: NamespaceID
    ) throws(StoreError) -> [SegmentRecord] {
        try rows(
            ContentStatements.currentSegments, [SQLValue(namespace), SQLValue(node), .integer(index)], Self.segment)
    }

    func segments(of node: NodeID, at seq: Seq, in namespace: NamespaceID) throws(StoreError) -> [SegmentRecord] {
        try rows(ContentStatements.segmentsAt, [SQLValue(namespace), SQLValue(node), SQLValue(seq)], Self.segment)
    }

    func insert(_ segment: SegmentRecord, in namespace: NamespaceID) throws(StoreError) {
        let key = [SQLValue(namespace), SQLValue(segment.node), .integer(segment.index), SQLValue(segment.from)]
        let extents = ExtentCoding.encode(segment.extents, segment: segment.index)
        try run(ContentStatements.insertSegment, key + [.bytes(extents)])
        for block in Set(segment.extents.map(\.block)).sorted() {
            try run(ContentStatements.insertReference, key + [SQLValue(block)])
        }
        try run(ContentStatements.insertBaseReferences, key)
    }

    func endSegment(_ index: Int64, of node: NodeID, at seq: Seq, in namespace: NamespaceID) throws(StoreError) {
        try run(
            ContentStatements.endSegment, [SQLValue(namespace), SQLValue(node), .integer(index), SQLValue(seq)])
    }

    func endSegments(of node: NodeID, at seq: Seq, in namespace: NamespaceID) throws(StoreError) {
        try run(ContentStatements.endSegments, [SQLValue(namespace), SQLValue(node), SQLValue(seq)])
    }

    func currentSegments(in namespace: NamespaceID, after: Seq, through: Seq) throws(StoreError) -> [SegmentRecord] {
        let values = [SQLValue(namespace), SQLValue(after), SQLValue(through)]
        return try rows(ContentStatements.currentSegmentsBetween, values, Self.segment)
    }

    func insert(_ revision: RevisionRecord, in namespace: NamespaceID) throws(StoreError) {
        try run(
            ContentStatements.insertRevision,
            [
                SQLValue(namespace), SQLValue(revision.node), SQLValue(revision.seq), .integer(revision.size),
                SQLValue(revision.mtime), SQLValue(revision.contentHash), SQLValue(revision.device),
                SQLValue(revision.committedAt),
            ])
    }

    func revisions(
        of node: NodeID, before: Seq, limit: Int, in namespace: NamespaceID
    ) throws(StoreError) -> [(revision: RevisionRecord, deviceName: String?)] {
        let values = [SQLValue(namespace), SQLValue(node), SQLValue(before), SQLValue(limit)]
        return try rows(ContentStatements.revisions, values) { row throws(StoreError) in
            let revision = RevisionRecord(
                node: try row.id(), seq: try row.seq(), size: try row.int64(), mtime: try row.timestamp(),
                contentHash: try row.optionalBytes(), device: try row.id(), committedAt: try row.timestamp())
            return (revision: revision, deviceName: try row.optionalText())
        }
    }

    static func segment(_ row: inout RowReader) throws(StoreError) -> SegmentRecord {
        let node: NodeID = try row.id()
        let index = try row.int64()
        return SegmentRecord(
            node: node, index: index, from: try row.seq(), to: try row.optionalInt64().map(Seq.init),
            extents: try ExtentCoding.decode(try row.bytes(), segment: index))
    }
}
