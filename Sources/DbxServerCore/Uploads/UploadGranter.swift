import DbxModel
import DbxServerStores
import DbxWire

/// Answers a request for uploads in one transaction: every granted block has its rows before the first byte comes.
struct UploadGranter {
    let rows: any MetadataTransaction
    let caller: Caller
    let namespace: NamespaceID
    let signing: UploadSigning
    let entropy: any Entropy
    let now: Timestamp

    func grant(_ offered: [OfferedBlock]) throws -> [UploadGrant] {
        try AccessPolicy.check(caller, .write, in: namespace, rows)
        let readable = try rows.memberships(of: caller.user).map(\.namespace)
        var pinned: Int64 = 0
        let grants = try offered.map { try grant($0, readable, &pinned) }
        if pinned > 0 {
            try checkQuota(adding: pinned)
            try rows.pin(pinned, in: namespace)
        }
        return grants
    }

    private func grant(
        _ offered: OfferedBlock, _ readable: [NamespaceID], _ pinned: inout Int64
    ) throws -> UploadGrant {
        if let known = try rows.namespaceBlock(offered.id, in: namespace) {
            try checkLength(offered, known.storedBytes)
            // Bytes that were lost are taken again from who has them.
            guard try rows.block(offered.id)?.state == .lost else { return UploadGrant(id: offered.id, upload: nil) }
        }
        if var upload = try rows.upload(of: offered.id, by: caller.device, in: namespace) {
            try checkLength(offered, upload.storedBytes)
            upload.touchedAt = now
            try rows.update(upload)
            return try answer(upload)
        }
        // Only what the user can read anyway is said to be there; else the bytes are asked for, whoever has them.
        let known = try knownElsewhere(offered.id, readable)
        if let known { try checkLength(offered, known.storedBytes) }
        try rows.insertIfAbsent(
            BlockRecord(
                id: offered.id, generation: 1, storedBytes: offered.storedBytes, state: .granted, createdAt: now))
        let upload = UploadRecord(
            namespace: namespace, block: offered.id, device: caller.device, id: UploadID(from: entropy),
            storedBytes: offered.storedBytes, state: known == nil ? .granted : .stored, touchedAt: now)
        try rows.insert(upload)
        pinned += offered.storedBytes
        return try answer(upload)
    }

    private func knownElsewhere(_ block: BlockID, _ readable: [NamespaceID]) throws -> NamespaceBlockRecord? {
        for other in readable where other != namespace {
            if let known = try rows.namespaceBlock(block, in: other), try rows.block(block)?.state != .lost {
                return known
            }
        }
        return nil
    }

    private func answer(_ upload: UploadRecord) throws -> UploadGrant {
        guard upload.state == .granted else { return UploadGrant(id: upload.block, upload: nil) }
        guard let signed = signing.sign(upload.id, block: upload.block, length: upload.storedBytes, now: now) else {
            throw Problem(kind: .forbidden, detail: "The server has no key to sign uploads with.")
        }
        return UploadGrant(id: upload.block, upload: signed)
    }

    private func checkLength(_ offered: OfferedBlock, _ storedBytes: Int64) throws {
        guard offered.storedBytes == storedBytes else {
            throw Problem.badRequest("Block \(offered.id) does not have \(offered.storedBytes) bytes.")
        }
    }

    private func checkQuota(adding pinned: Int64) throws {
        guard let record = try rows.namespace(namespace), let limit = record.limitBytes else { return }
        let needed = record.usedBytes + record.pinnedBytes + pinned
        guard needed <= limit else {
            throw Problem(
                kind: .quotaExceeded,
                detail:
                    "With these uploads \(needed) bytes would be taken of the \(limit) allowed: delete something, or "
                    + "ask the server's administrator for more.")
        }
    }
}
