package import DbxModel
import DbxServerStores
package import DbxWire

/// Reading blocks: one, or many small ones. Both ask for the same right, and give only what the namespace has.
extension Server {
    /// The stored bytes of a block that the namespace has.
    package func readBlock(
        _ caller: Caller, namespace: NamespaceID, block: BlockID
    ) throws(Problem) -> StoredBlock {
        try answering {
            let found = try metadata.read { rows in
                try AccessPolicy.check(caller, .read, in: namespace, rows)
                return try FoundBlock(block, in: namespace, rows)
            }
            return try found.open(self)
        }
    }

    /// The same for many of at most `BlocksRequest.maximumBytes` together, in the order asked for.
    package func readBlocks(
        _ caller: Caller, namespace: NamespaceID, _ request: BlocksRequest
    ) throws(Problem) -> StoredBlocks {
        try answering {
            guard (1...BlocksRequest.maximumBlocks).contains(request.blocks.count) else {
                throw Problem(
                    kind: request.blocks.isEmpty ? .badRequest : .payloadTooLarge,
                    detail: "Ask for 1 to \(BlocksRequest.maximumBlocks) blocks at once.")
            }
            let found = try metadata.read { rows in
                try AccessPolicy.check(caller, .read, in: namespace, rows)
                return try request.blocks.map { id -> FoundBlock? in
                    do {
                        return try FoundBlock(id, in: namespace, rows)
                    } catch let problem as Problem where problem.kind == .notFound {
                        return nil
                    }
                }
            }
            guard found.reduce(0, { $0 + ($1?.record.storedBytes ?? 0) }) <= BlocksRequest.maximumBytes else {
                throw Problem(
                    kind: .payloadTooLarge,
                    detail: "Ask for blocks of at most \(BlocksRequest.maximumBytes) bytes together.")
            }
            return StoredBlocks(found: found, server: self)
        }
    }
}

/// Blocks that were looked up together; their objects are opened one after the other, when they are read.
package struct StoredBlocks: Sendable {
    fileprivate let found: [FoundBlock?]
    fileprivate let server: Server

    package var count: Int { found.count }

    /// The whole block of this place in the request; nil where the namespace does not have it or it cannot be read now.
    package func bytes(at index: Int) -> [UInt8]? {
        guard let block = try? found[index]?.open(server) else { return nil }
        // All that are asked for together are a few megabytes.
        var bytes = [UInt8](repeating: 0, count: Int(block.bytes))
        do {
            // Safe: the buffer is used during the call only.
            try unsafe bytes.withUnsafeMutableBytes { buffer in unsafe try block.read(into: buffer, offset: 0) }
        } catch {
            return nil
        }
        return bytes
    }
}

/// A block of a namespace as one look at the database found it.
private struct FoundBlock: Sendable {
    let record: BlockRecord
    private let location: BlockLocation

    init(_ block: BlockID, in namespace: NamespaceID, _ rows: any MetadataTransaction) throws {
        guard try rows.namespaceBlock(block, in: namespace) != nil, let record = try rows.block(block) else {
            throw Problem(kind: .notFound, detail: "The namespace has no such block.")
        }
        guard record.state != .lost else {
            throw Problem(
                kind: .notFound,
                detail:
                    "The server has lost the bytes of this block: its administrator can put them back from a backup.")
        }
        self.record = record
        location = try BlockLocation(of: record, rows)
    }

    func open(_ server: Server) throws -> StoredBlock {
        guard let object = try location.open(record, in: server.objects), object.length == record.storedBytes else {
            throw StoreError.corrupt("block \(record.key) is missing or has another length")
        }
        return StoredBlock(id: record.id, bytes: object.length, object: object, server: server)
    }
}

/// One stored block, open for reading from any thread.
package struct StoredBlock: Sendable {
    package let id: BlockID
    package let bytes: Int64
    let object: any OpenObject
    let server: Server

    /// Fills `buffer` with the stored bytes from `offset` on, all of them within `bytes`.
    package func read(into buffer: UnsafeMutableRawBufferPointer, offset: Int64) throws(Problem) {
        try server.answering { unsafe try object.read(into: buffer, offset: offset) }
    }
}
