package import DbxModel
import DbxServerStores
package import DbxWire

extension Server {
    /// The disk is never filled to the last byte: the database needs room to delete things.
    private static let freeSpaceFloorBytes: Int64 = 64 << 20

    private var signing: UploadSigning { UploadSigning(signer: uploadSigner) }

    package func requestUploads(
        _ caller: Caller, namespace: NamespaceID, _ request: UploadRequest
    ) throws(Problem) -> UploadResponse {
        try answering {
            guard request.blocks.count <= UploadRequest.maximumBlocks else {
                throw Problem(
                    kind: .payloadTooLarge, detail: "Ask for at most \(UploadRequest.maximumBlocks) uploads at once.")
            }
            guard Set(request.blocks.map(\.id)).count == request.blocks.count,
                request.blocks.allSatisfy({ (1...Uploads.maximumStoredBytes).contains($0.storedBytes) })
            else { throw Problem.badRequest("A block is offered twice, or its length is not possible.") }
            let now = time.now()
            return try metadata.write { rows in
                let granter = UploadGranter(
                    rows: rows, caller: caller, namespace: namespace, signing: signing, entropy: entropy, now: now)
                return UploadResponse(grants: try granter.grant(request.blocks))
            }
        }
    }

    /// Checks the signature and opens the place for the bytes. Every check that needs no bytes is made here.
    package func beginUpload(_ incoming: IncomingUpload) throws(Problem) -> UploadReceiver {
        try answering {
            let signed = try signing.check(incoming, now: time.now())
            let (upload, block) = try metadata.read { rows in
                guard let upload = try rows.upload(incoming.upload), upload.block == signed.block,
                    upload.storedBytes == signed.length, let block = try rows.block(upload.block)
                else { throw Problem(kind: .notFound, detail: "This upload has ended: ask for uploads again.") }
                try checkUploader(upload, rows)
                return (upload, block)
            }
            try checkRoom(for: signed.length)
            return UploadReceiver(server: self, upload: upload, key: block.key, staged: try objects.stage(upload.id))
        }
    }

    func checkRoom(for bytes: Int64) throws {
        guard try objects.freeBytes() ?? .max > bytes + Self.freeSpaceFloorBytes else { throw StoreError.storageFull }
    }

    /// The signature stands for the device: what it may not do any more its URLs may not either.
    private func checkUploader(_ upload: UploadRecord, _ rows: any MetadataTransaction) throws {
        guard let device = try rows.device(upload.device), let user = try rows.user(device.user) else {
            throw Problem.loggedOut
        }
        let caller = Caller(user: user.id, device: device.id, org: user.org)
        try AccessPolicy.check(caller, .write, in: upload.namespace, rows)
    }

    /// Makes the receipts for several uploads with one wait for the disk. Answers in order; none is returned before all
    /// are durable.
    package func confirm(_ uploads: [StoredUpload]) -> [Result<Void, Problem>] {
        let now = time.now()
        let bodies: [(any MetadataTransaction) throws -> Void] = uploads.map { stored in
            { rows in try Self.confirm(stored.upload, at: nil, rows, now: now) }
        }
        do {
            return try metadata.writeBatch(bodies) { _ in }.map { $0.mapError(problem) }
        } catch {
            let problem = problem(from: error)
            return uploads.map { _ in .failure(problem) }
        }
    }

    /// `place`: nil for an object of its own.
    static func confirm(
        _ upload: UploadRecord, at place: PackPlace?, _ rows: any MetadataTransaction, now: Timestamp
    ) throws {
        let state = try rows.block(upload.block)?.state
        // Where it was before, its bytes are damaged or missing.
        if state == .granted || state == .lost { try rows.setPlace(place, of: upload.block) }
        switch state {
        case .granted: try rows.setState(.stored, of: upload.block, storedBytes: upload.storedBytes)
        case .lost: try rows.setState(.live, of: upload.block, storedBytes: upload.storedBytes)
        case .stored, .live, nil: break
        }
        if try rows.namespaceBlock(upload.block, in: upload.namespace) != nil {
            // The namespace has the block and wanted only its bytes back: no commit will come for it.
            return try rows.pin(-rows.deleteUploads(of: upload.block, in: upload.namespace), in: upload.namespace)
        }
        // Gone where another device has committed the block meanwhile: then nobody needs the receipt.
        guard var current = try rows.upload(upload.id) else { return }
        current.state = .stored
        current.touchedAt = now
        try rows.update(current)
    }

    /// Gives up idle uploads; returns how many. Their objects stay until garbage collection.
    func expireUploads(limit: Int) throws -> Int {
        let border = Timestamp(seconds: time.now().seconds - Uploads.idleSeconds, nanoseconds: 0)
        guard try !metadata.read({ try $0.uploads(idleSince: border, limit: 1) }).isEmpty else { return 0 }
        return try metadata.write { rows in
            let idle = try rows.uploads(idleSince: border, limit: limit)
            for upload in idle {
                try rows.delete(upload)
                try rows.pin(-upload.storedBytes, in: upload.namespace)
            }
            return idle.count
        }
    }
}
