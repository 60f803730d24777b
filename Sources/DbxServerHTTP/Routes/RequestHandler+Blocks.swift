import DbxModel
import DbxServerCore
import DbxWire
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// Blocks: leave to upload, the upload itself, and reading.
extension RequestHandler {
    /// Bytes that a slow reader's connection holds in memory, about; and the size of a read from the disk.
    private static let chunkBytes: Int64 = 1 << 20

    @concurrent func requestUploads(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        let namespace: NamespaceID = try exchange.identifier("namespace")
        let body = try await authenticatedBody(exchange)
        return try await answering(exchange) { server, caller in
            let request = try RequestJSON.decode(UploadRequest.self, from: body.bytes())
            return try server.requestUploads(caller, namespace: namespace, request)
        }
    }

    /// The signature is checked first. A block is at most 4 MiB and a little: it is taken in whole and then written,
    /// hashed and synced on one thread, so that a slow sender holds memory, not a thread. Receipts for uploads that end
    /// at about the same time are made together.
    @concurrent func upload(_ exchange: Exchange) async throws -> Response {
        var headers: [String: String] = [:]
        for field in exchange.headers { headers[field.name.canonicalName] = field.value }
        let query = try Query(exchange.rawQuery)
        let incoming = IncomingUpload(
            method: exchange.request.head.method.rawValue, upload: try exchange.identifier("upload"), query: query.all,
            headers: headers, contentLength: exchange.contentLength.map(Int64.init))
        let upload = try await pool.run { [server] in OpenUpload(try server.beginUpload(incoming)) }
        let body = try await exchange.wholeBody()
        try await uploads.submit(try await pool.run { try upload.store(body) })
        return Answers.nothing()
    }

    @concurrent func storePack(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        let namespace: NamespaceID = try exchange.identifier("namespace")
        let body = try await authenticatedBody(exchange)
        return try await answering(exchange) { server, caller in
            try server.storePack(caller, namespace: namespace, body.bytes())
        }
    }

    /// An upload between its two visits to the pool. Dropped unfinished, it leaves nothing.
    private final class OpenUpload: Sendable {
        private let receiver: Mutex<UploadReceiver>

        init(_ receiver: sending UploadReceiver) { self.receiver = Mutex(receiver) }

        func store(_ body: ByteBuffer) throws -> StoredUpload {
            try receiver.withLock { receiver in
                try receiver.receive(body.readableBytesSpan)
                return try receiver.store()
            }
        }
    }

    /// A block that was found, what of it is asked, and the first bytes of that.
    private struct Opened: Sendable {
        let block: StoredBlock
        let range: ByteRange
        let bounds: Range<Int64>
        let first: ByteBuffer
    }

    @concurrent func readBlock(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        let namespace: NamespaceID = try exchange.identifier("namespace")
        let id = try exchange.block()
        let (tag, isHead) = ("\"\(id)\"", exchange.isHead)
        let isKnown = Self.lists(exchange.headers[.ifNoneMatch], tag)
        let rangeHeader = exchange.headers[.ifRange].map { $0 == tag } ?? true ? exchange.headers[.range] : nil
        let opened = try await authenticated(exchange) { server, caller in
            let block = try server.readBlock(caller, namespace: namespace, block: id)
            let range = ByteRange(header: rangeHeader, length: block.bytes)
            let bounds: Range<Int64> = if case .part(let part) = range { part } else { 0..<block.bytes }
            let skipsBody = isKnown || isHead || range == .unsatisfiable
            let count = skipsBody ? 0 : Int(min(Int64(bounds.count), Self.chunkBytes))
            let first = count == 0 ? ByteBuffer() : try Self.read(block, bounds.lowerBound, count)
            return Opened(block: block, range: range, bounds: bounds, first: first)
        }
        return response(to: opened, tag: tag, isKnown: isKnown, isHead: isHead)
    }

    private func response(to opened: Opened, tag: String, isKnown: Bool, isHead: Bool) -> Response {
        var headers = HTTPFields()
        headers[.eTag] = tag
        headers[.acceptRanges] = "bytes"
        if isKnown { return Response(status: .notModified, headers: headers) }
        if opened.range == .unsatisfiable {
            var problem = Problem(
                kind: .badRequest, detail: "The block has \(opened.block.bytes) bytes; ask within them.")
            problem.status = 416
            var response = Answers.problem(problem)
            response.headers[.contentRange] = "bytes */\(opened.block.bytes)"
            return response
        }
        headers[.contentType] = "application/octet-stream"
        headers[.contentLength] = String(opened.bounds.count)
        if case .part(let part) = opened.range {
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(opened.block.bytes)"
        }
        let status: HTTPResponse.Status = opened.range == .whole ? .ok : .partialContent
        return Response(status: status, headers: headers, body: isHead ? .init() : body(of: opened))
    }

    /// Many small blocks, in frames (`BlockFrame`), about a chunk of them in memory at a time.
    @concurrent func readBlocks(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        let namespace: NamespaceID = try exchange.identifier("namespace")
        let body = try await authenticatedBody(exchange)
        let (blocks, first) = try await authenticated(exchange) { server, caller in
            let request = try RequestJSON.decode(BlocksRequest.self, from: body.bytes())
            let blocks = try server.readBlocks(caller, namespace: namespace, request)
            return (blocks, Self.frames(of: blocks, from: 0))
        }
        var headers = HTTPFields()
        headers[.contentType] = "application/octet-stream"
        guard first.next < blocks.count else {
            return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: first.bytes))
        }
        let rest = ResponseBody { [pool] writer in
            var piece = first
            try await writer.write(piece.bytes)
            while piece.next < blocks.count {
                let next = piece.next
                piece = try await pool.run { Self.frames(of: blocks, from: next) }
                try await writer.write(piece.bytes)
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: rest)
    }

    /// The frames of about one chunk, and the block after it.
    private static func frames(of blocks: StoredBlocks, from start: Int) -> (bytes: ByteBuffer, next: Int) {
        var buffer = ByteBuffer()
        var index = start
        while index < blocks.count, buffer.readableBytes < Int(chunkBytes) {
            let block = blocks.bytes(at: index) ?? []
            buffer.writeBytes(BlockFrame.header(length: block.count))
            buffer.writeBytes(block)
            index += 1
        }
        return (buffer, index)
    }

    /// Each chunk is read while the one before it goes out; a reader that does not keep up stops the reading.
    private func body(of opened: Opened) -> ResponseBody {
        let first = opened.first
        if first.readableBytes == opened.bounds.count { return ResponseBody(byteBuffer: first) }
        return ResponseBody(contentLength: opened.bounds.count) { [pool] writer in
            try await writer.write(first)
            var position = opened.bounds.lowerBound + Int64(first.readableBytes)
            while position < opened.bounds.upperBound {
                let (offset, count) = (position, Int(min(opened.bounds.upperBound - position, Self.chunkBytes)))
                let block = opened.block
                try await writer.write(try await pool.run { try Self.read(block, offset, count) })
                position += Int64(count)
            }
            try await writer.finish(nil)
        }
    }

    /// From the file into the buffer that is sent, without a copy between.
    private static func read(_ block: StoredBlock, _ offset: Int64, _ count: Int) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        // Safe: the buffer has room for `count` bytes, all of which are filled.
        unsafe try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
            unsafe try block.read(into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]), offset: offset)
            return count
        }
        return buffer
    }

    /// Whether an `If-None-Match` header names the tag (weakly, as RFC 9110 §13.1.2 has it) or says `*`.
    private static func lists(_ header: String?, _ tag: String) -> Bool {
        guard let header else { return false }
        return header.split(separator: ",").contains { item in
            var item = item.drop { $0 == " " }
            while item.last == " " { item.removeLast() }
            return item == "*" || item == tag || item == "W/" + tag
        }
    }
}
