import DbxWire
import HummingbirdCore
import NIOCore

/// Reads the body of one request, once, with a limit. Belongs to the task that answers the request.
final class BodyReader {
    private let body: RequestBody
    private var iterator: RequestBody.AsyncIterator?
    private var ended = false

    init(_ body: RequestBody) { self.body = body }

    /// The next piece; nil at the end.
    @concurrent private func next() async throws -> ByteBuffer? {
        if ended { return nil }
        var iterator = self.iterator ?? body.makeAsyncIterator()
        let piece = try await iterator.next()
        self.iterator = iterator
        ended = piece == nil
        return piece
    }

    /// The whole body in one buffer.
    @concurrent func collect(upTo limit: Int, expecting length: Int?) async throws -> ByteBuffer {
        guard var whole = try await next() else { return ByteBuffer() }
        if let length, length <= limit, length > whole.readableBytes {
            whole.reserveCapacity(minimumWritableBytes: length - whole.readableBytes)
        }
        while true {
            if whole.readableBytes > limit { throw Self.tooLarge(limit) }
            guard var piece = try await next() else { return whole }
            whole.writeBuffer(&piece)
        }
    }

    /// Reads and forgets what is left, so that the connection can carry the next request; false when that is more
    /// than `limit`, and closing the connection is cheaper.
    @concurrent func discard(upTo limit: Int) async throws -> Bool {
        var left = limit
        while let piece = try await next() {
            left -= piece.readableBytes
            if left < 0 { return false }
        }
        return true
    }

    static func tooLarge(_ limit: Int) -> Problem {
        Problem(kind: .payloadTooLarge, detail: "The body may have \(limit) bytes at most; send less at a time.")
    }
}
