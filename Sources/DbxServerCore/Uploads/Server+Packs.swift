import Crypto
import DbxContent
package import DbxModel
import DbxServerStores
package import DbxWire

/// Many small blocks in one request and one object: one wait for the disk instead of one for each.
extension Server {
    /// `body`: granted blocks, framed as `BlockFrame`. Answers in their order which of them this device has a receipt
    /// for now; all of them are durable.
    package func storePack(
        _ caller: Caller, namespace: NamespaceID, _ body: [UInt8]
    ) throws(Problem) -> PackResponse {
        try answering {
            let blocks = try PackedBlock.all(in: body)
            let uploads = try metadata.read { rows in
                try AccessPolicy.check(caller, .write, in: namespace, rows)
                return try blocks.map { block -> UploadRecord? in
                    let upload = try rows.upload(of: block.id, by: caller.device, in: namespace)
                    guard let upload, upload.storedBytes == Int64(block.bytes.count) else { return nil }
                    return try isDamaged(block.id, rows) ? nil : upload
                }
            }
            let wanted = zip(blocks, uploads).compactMap { block, upload in
                upload?.state == .granted ? upload.map { ($0, block) } : nil
            }
            if !wanted.isEmpty { try store(wanted) }
            return PackResponse(stored: uploads.map { $0 != nil })
        }
    }

    /// Whether the block lies in a pack that lost it. The same blocks would be the same pack, whose name is taken.
    private func isDamaged(_ block: BlockID, _ rows: any MetadataTransaction) throws -> Bool {
        let state = try rows.block(block)?.state
        guard state == .granted || state == .lost else { return false }
        return try rows.place(of: block) != nil
    }

    /// What was not granted is not kept. Its row comes before the object, so that no check takes that for unknown.
    private func store(_ blocks: [(upload: UploadRecord, block: PackedBlock)]) throws {
        var pack: [UInt8] = []
        let places = blocks.map { _, block in
            pack += BlockFrame.header(length: block.bytes.count)
            defer { pack += block.bytes }
            return Int64(pack.count)
        }
        try checkRoom(for: Int64(pack.count))
        let id = BlockID(ofStored: pack)
        try metadata.write { [now = time.now(), length = Int64(pack.count)] rows in
            try rows.insertPack(id, storedBytes: length, at: now)
        }
        let staged = try objects.stage(UploadID(from: entropy))
        unsafe try staged.append(pack.span.bytes)
        do throws(StagingError) {
            try staged.promote(to: PackPlace.key(ofPack: id), length: Int64(pack.count))
        } catch {
            if case .store(let error) = error { throw error }
            throw StoreError.corrupt("a pack of blocks did not come to the disk as it was")
        }
        try metadata.write { [now = time.now()] rows in
            for (item, position) in zip(blocks, places) {
                try Self.confirm(item.upload, at: PackPlace(pack: id, position: position), rows, now: now)
            }
        }
    }
}

/// A block as it came in a pack.
private struct PackedBlock {
    let id: BlockID
    let bytes: ArraySlice<UInt8>

    /// Those of a body that is a pack, each once.
    static func all(in body: [UInt8]) throws -> [PackedBlock] {
        var blocks: [PackedBlock] = []
        var rest = body[...]
        while !rest.isEmpty, blocks.count <= PackResponse.maximumBlocks {
            let length =
                rest.count < BlockFrame.headerBytes ? 0 : Int(rest.prefix(BlockFrame.headerBytes).bigEndianValue)
            let bytes = rest.dropFirst(BlockFrame.headerBytes).prefix(length)
            guard (1...ContentLimits.maximumPackedBytes).contains(length), bytes.count == length else {
                throw Problem.badRequest(
                    "A pack is blocks of 1 to \(ContentLimits.maximumPackedBytes) bytes, each behind its length.")
            }
            blocks.append(PackedBlock(id: BlockID(SHA256.hash(data: bytes)), bytes: bytes))
            rest = rest.dropFirst(BlockFrame.headerBytes + length)
        }
        guard (1...PackResponse.maximumBlocks).contains(blocks.count), Set(blocks.map(\.id)).count == blocks.count
        else {
            throw Problem.badRequest("A pack has 1 to \(PackResponse.maximumBlocks) blocks, and none twice.")
        }
        return blocks
    }
}
