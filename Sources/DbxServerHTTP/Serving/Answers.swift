import DbxModel
import DbxWire
import HTTPTypes
import HummingbirdCore
import NIOCore
import Zstd

/// Makes responses: JSON, nothing, and problems.
enum Answers {
    /// `coding`: what the client understands, if anything.
    static func json(_ value: some Encodable, coding: ZstdCoding? = nil) throws -> Response {
        bytes(try WireJSON.encode(value), "application/json", coding: coding)
    }

    static func bytes(_ bytes: [UInt8], _ mediaType: String, coding: ZstdCoding?) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = mediaType
        var body = bytes
        if let encoded = coding?.encode(body) {
            headers[.contentEncoding] = ZstdCoding.name
            body = encoded
        }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }

    static func nothing() -> Response { Response(status: .noContent) }

    static func problem(_ problem: Problem) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "application/problem+json"
        switch problem.kind {
        case .unauthenticated: headers[.wwwAuthenticate] = "Bearer realm=\"dbxfs\""
        case .tooManyRequests, .unavailable: headers[.retryAfter] = "5"
        default: break
        }
        let body = (try? WireJSON.encode(problem)) ?? []
        return Response(
            status: .init(code: problem.status), headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
