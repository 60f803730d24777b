import DbxModel

extension SQLTransaction {
    func block(_ id: BlockID) throws(StoreError) -> BlockRecord? {
        try row(BlockStatements.block, [SQLValue(id)], Self.block)
    }

    func insertIfAbsent(_ block: BlockRecord) throws(StoreError) {
        try run(
            BlockStatements.insertBlock,
            [
                SQLValue(block.id), .integer(block.generation), .integer(block.storedBytes),
                .text(block.state.rawValue), SQLValue(block.createdAt),
            ])
    }

    func setState(_ state: BlockRecord.State, of block: BlockID) throws(StoreError) {
        try run(BlockStatements.setBlockState, [SQLValue(block), .text(state.rawValue)])
    }

    func setState(_ state: BlockRecord.State, of block: BlockID, storedBytes: Int64) throws(StoreError) {
        try run(
            BlockStatements.setStoredBlock, [SQLValue(block), .text(state.rawValue), .integer(storedBytes)])
    }

    func body(of block: BlockID) throws(StoreError) -> [UInt8]? {
        try row(BlockStatements.blockBody, [SQLValue(block)]) { row throws(StoreError) in try row.bytes() }
    }

    func insertBody(_ body: [UInt8], of block: BlockID) throws(StoreError) {
        try run(BlockStatements.insertBlockBody, [SQLValue(block), .bytes(body)])
    }

    func insertPack(_ id: BlockID, storedBytes: Int64, at time: Timestamp) throws(StoreError) {
        try run(BlockStatements.insertPack, [SQLValue(id), .integer(storedBytes), SQLValue(time)])
    }

    func place(of block: BlockID) throws(StoreError) -> PackPlace? {
        try row(BlockStatements.blockPlace, [SQLValue(block)]) { row throws(StoreError) in
            PackPlace(pack: try row.block(), position: try row.int64())
        }
    }

    func setPlace(_ place: PackPlace?, of block: BlockID) throws(StoreError) {
        guard let place else { return try run(BlockStatements.deleteBlockPlace, [SQLValue(block)]) }
        try run(BlockStatements.putBlockPlace, [SQLValue(block), SQLValue(place.pack), .integer(place.position)])
    }

    func namespaceBlock(_ block: BlockID, in namespace: NamespaceID) throws(StoreError) -> NamespaceBlockRecord? {
        try row(BlockStatements.namespaceBlock, [SQLValue(namespace), SQLValue(block)], Self.namespaceBlock)
    }

    func insert(_ block: NamespaceBlockRecord, in namespace: NamespaceID) throws(StoreError) {
        try run(
            BlockStatements.insertNamespaceBlock,
            [
                SQLValue(namespace), SQLValue(block.block), SQLValue(block.seq), .bytes(block.sealed),
                SQLValue(block.key), .integer(block.plainBytes), .integer(block.storedBytes), SQLValue(block.base),
            ])
    }

    func namespaceBlocks(
        in namespace: NamespaceID, after: Seq, through: Seq
    ) throws(StoreError) -> [NamespaceBlockRecord] {
        let values = [SQLValue(namespace), SQLValue(after), SQLValue(through)]
        return try rows(BlockStatements.namespaceBlocksBetween, values, Self.namespaceBlock)
    }

    func upload(
        of block: BlockID, by device: DeviceID, in namespace: NamespaceID
    ) throws(StoreError) -> UploadRecord? {
        try row(BlockStatements.upload, [SQLValue(namespace), SQLValue(block), SQLValue(device)], Self.upload)
    }

    func upload(_ id: UploadID) throws(StoreError) -> UploadRecord? {
        try row(BlockStatements.uploadByID, [SQLValue(id)], Self.upload)
    }

    func insert(_ upload: UploadRecord) throws(StoreError) {
        try run(
            BlockStatements.insertUpload,
            key(of: upload) + [
                SQLValue(upload.id), .integer(upload.storedBytes), .text(upload.state.rawValue),
                SQLValue(upload.touchedAt),
            ])
    }

    func update(_ upload: UploadRecord) throws(StoreError) {
        try run(
            BlockStatements.updateUpload, key(of: upload) + [.text(upload.state.rawValue), SQLValue(upload.touchedAt)])
    }

    func deleteUploads(of block: BlockID, in namespace: NamespaceID) throws(StoreError) -> Int64 {
        let pinned = try rows(BlockStatements.deleteUploads, [SQLValue(namespace), SQLValue(block)]) {
            row throws(StoreError) in try row.int64()
        }
        return pinned.reduce(0, +)
    }

    func uploads(idleSince time: Timestamp, limit: Int) throws(StoreError) -> [UploadRecord] {
        try rows(BlockStatements.idleUploads, [SQLValue(time), SQLValue(limit)], Self.upload)
    }

    func touchUploads(notAfter time: Timestamp) throws(StoreError) {
        try run(BlockStatements.untimelyUploads, [SQLValue(time)])
    }

    func delete(_ upload: UploadRecord) throws(StoreError) { try run(BlockStatements.deleteUpload, key(of: upload)) }

    private func key(of upload: UploadRecord) -> [SQLValue] {
        [SQLValue(upload.namespace), SQLValue(upload.block), SQLValue(upload.device)]
    }

    static func block(_ row: inout RowReader) throws(StoreError) -> BlockRecord {
        BlockRecord(
            id: try row.block(), generation: try row.int64(), storedBytes: try row.int64(), state: try row.choice(),
            createdAt: try row.timestamp())
    }

    private static func namespaceBlock(_ row: inout RowReader) throws(StoreError) -> NamespaceBlockRecord {
        NamespaceBlockRecord(
            block: try row.block(), seq: try row.seq(), sealed: try row.bytes(), key: try row.id(),
            plainBytes: try row.int64(), storedBytes: try row.int64(), base: try row.optionalBlock())
    }

    private static func upload(_ row: inout RowReader) throws(StoreError) -> UploadRecord {
        UploadRecord(
            namespace: try row.id(), block: try row.block(), device: try row.id(), id: try row.id(),
            storedBytes: try row.int64(), state: try row.choice(), touchedAt: try row.timestamp())
    }
}
