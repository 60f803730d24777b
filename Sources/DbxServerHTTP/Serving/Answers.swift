import DbxModel
import DbxWire
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Makes responses: JSON, nothing, and problems.
enum Answers {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "application/json"
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: try WireJSON.encode(value))))
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
