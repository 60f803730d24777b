import DbxModel
import DbxServerStores
import DbxWire

/// Which blocks the commit may use: those that the namespace has, those whose bytes it brings, and those that this device
/// holds a receipt for. To know a block's id is not enough (DESIGN §4.3).
extension CommitDraft {
    func bringBlocks() throws {
        var missing: Set<BlockID> = []
        let wrapKeys = Set(try rows.keys(of: namespace.id).filter { $0.purpose == .wrap }.map(\.id))
        for block in request.blocks {
            if let known = try rows.namespaceBlock(block.id, in: namespace.id) {
                plainBytes[block.id] = known.plainBytes
                if let body = block.body?.bytes { returned.append((known, body)) }
            } else if let body = block.body?.bytes {
                try bring(block, storedBytes: Int64(body.count), wrapKeys)
                bodies[block.id] = body
            } else if let receipt = try receipt(block.id) {
                try bring(block, storedBytes: receipt.storedBytes, wrapKeys)
            } else {
                missing.insert(block.id)
            }
        }
        for block in referencedBlocks where plainBytes[block] == nil && !missing.contains(block) {
            if let known = try rows.namespaceBlock(block, in: namespace.id) {
                plainBytes[block] = known.plainBytes
            } else if try receipt(block) != nil {
                throw Problem.badRequest(
                    "Block \(block) is new to the namespace, and the commit brings no wrap for it.")
            } else {
                missing.insert(block)
            }
        }
        guard missing.isEmpty else {
            throw Problem(
                kind: .missingBlocks, detail: "Upload the missing blocks and send the commit again.",
                missing: missing.sorted())
        }
    }

    private var referencedBlocks: Set<BlockID> {
        var blocks: Set<BlockID> = []
        for node in request.nodes {
            for segment in node.content?.segments ?? [] { blocks.formUnion(segment.extents.lazy.map(\.block)) }
        }
        return blocks
    }

    private func receipt(_ block: BlockID) throws -> UploadRecord? {
        let upload = try rows.upload(of: block, by: device, in: namespace.id)
        return upload?.state == .stored ? upload : nil
    }

    private func bring(_ block: CommittedBlock, storedBytes: Int64, _ wrapKeys: Set<KeyID>) throws {
        guard wrapKeys.contains(block.wrap.key) else {
            throw Problem.badRequest("Block \(block.id) is wrapped under a key that is not this namespace's.")
        }
        guard block.wrap.storedBytes == storedBytes else {
            throw Problem.badRequest(
                "Block \(block.id) has \(storedBytes) stored bytes, not those of its wrap.")
        }
        try checkBase(of: block)
        plainBytes[block.id] = block.wrap.plainBytes
        newBlocks.append(
            NamespaceBlockRecord(
                block: block.id, seq: seq, sealed: block.wrap.sealed.bytes, key: block.wrap.key,
                plainBytes: block.wrap.plainBytes, storedBytes: block.wrap.storedBytes, base: block.wrap.base))
    }

    /// Readers of the block need the base too, and no more than that.
    private func checkBase(of block: CommittedBlock) throws {
        guard let id = block.wrap.base else { return }
        guard let base = try rows.namespaceBlock(id, in: namespace.id) else {
            throw Problem(
                kind: .missingBlocks, detail: "The base of block \(block.id) is none of the namespace's.",
                missing: [id])
        }
        guard base.base == nil else {
            throw Problem.badRequest("The base of block \(block.id) has a base itself.")
        }
    }
}
