import DbxModel
import DbxWire
import HTTPTypes
import HummingbirdCore
import NIOCore
import Zstd

/// One request that was found to ask for an operation, with what its handler needs of it. Stays in the task of the
/// request; handlers take the values they need over to the pool's threads.
struct Exchange {
    let operation: Operation
    let request: Request
    let parameters: [String: String]
    let body: BodyReader
    let channel: any Channel

    var headers: HTTPFields { request.head.headerFields }
    var isHead: Bool { request.head.method == .head }
    var peerAddress: String { channel.remoteAddress?.ipAddress ?? "local" }

    /// The target's query. No operation but the signed upload takes names that are not in `allowed`.
    func query(_ allowed: String...) throws(Problem) -> Query { try Query(rawQuery, allowed: Set(allowed)) }

    var rawQuery: Substring {
        let target = request.head.path ?? ""
        return target.firstIndex(of: "?").map { target[target.index(after: $0)...] } ?? ""
    }

    /// The token of `Authorization: Bearer`.
    func token() throws(Problem) -> String {
        guard let value = headers[.authorization] else {
            throw Problem(
                kind: .unauthenticated, detail: "Log in, and send the token as 'Authorization: Bearer TOKEN'.")
        }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw Problem(kind: .unauthenticated, detail: "The Authorization header must be 'Bearer' and the token.")
        }
        return String(parts[1])
    }

    func identifier<Kind>(_ name: String) throws(Problem) -> Identifier<Kind> {
        guard let id = Identifier<Kind>(hex: parameters[name] ?? "") else {
            throw Problem(kind: .badRequest, detail: "The \(name) in the path is no id of 32 hexadecimal digits.")
        }
        return id
    }

    func block() throws(Problem) -> BlockID {
        guard let id = BlockID(hex: parameters["block"] ?? "") else {
            throw Problem(kind: .badRequest, detail: "The block in the path is no id of 64 hexadecimal digits.")
        }
        return id
    }

    /// Whether the answer may be compressed.
    var acceptsZstd: Bool { operation.mayCompress && lists(ZstdCoding.name, in: .acceptEncoding) }

    /// Whether the client names the media type, without parameters.
    func accepts(_ mediaType: String) -> Bool { lists(mediaType, in: .accept) }

    /// Whether the body is said to be of the media type.
    func hasBody(of mediaType: String) -> Bool { headers[.contentType] == mediaType }

    private func lists(_ word: String, in header: HTTPField.Name) -> Bool {
        headers[values: header].contains { value in
            value.split(separator: ",").contains { $0.trimmingPrefix { $0 == " " } == word }
        }
    }

    /// What Content-Length says; nil with a chunked body.
    var contentLength: Int? { headers[.contentLength].flatMap { Int($0) } }

    /// The whole body as it came.
    @concurrent func wholeBody() async throws -> ByteBuffer {
        guard try operation.mayCompress || !isCompressed() else {
            throw Problem(kind: .badRequest, detail: "This path takes no compressed body.")
        }
        return try await body.collect(upTo: operation.bodyLimitBytes, expecting: contentLength)
    }

    func isCompressed() throws(Problem) -> Bool {
        switch headers[values: .contentEncoding] {
        case [], ["identity"]: return false
        case [ZstdCoding.name]: return true
        default: throw Problem(kind: .badRequest, detail: "Of all content codings only zstd is taken.")
        }
    }
}
