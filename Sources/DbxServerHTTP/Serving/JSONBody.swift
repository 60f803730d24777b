import DbxWire
import NIOCore
import Zstd

/// The whole body of a request as it came; decompressed and decoded on the pool.
struct JSONBody: Sendable {
    let received: ByteBuffer
    /// Nil where the body is not compressed.
    let coding: ZstdCoding?
    /// Of the body, decompressed.
    let limitBytes: Int

    func bytes() throws(Problem) -> [UInt8] {
        let received = Array(buffer: received)
        guard let coding else { return received }
        do throws(ZstdError) {
            return try coding.decode(received, limitBytes: limitBytes)
        } catch {
            throw Problem(kind: .badRequest, detail: "The body is not what zstd made of at most \(limitBytes) bytes.")
        }
    }
}
