import DbxServerCore
import DbxWire
import HTTPTypes
import HummingbirdCore
import NIOCore

/// What says how the server is.
extension RequestHandler {
    private struct Health: Encodable {
        let status = "ok"
        let version: String
    }

    func health(_ exchange: Exchange) throws -> Response {
        _ = try exchange.query()
        return try Answers.json(Health(version: version))
    }

    @concurrent func ready(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.query()
        try await pool.run { [server] in try server.checkReady() }
        return try Answers.json(Health(version: version))
    }

    func openAPI(_ exchange: Exchange) throws -> Response {
        _ = try exchange.query()
        var headers = HTTPFields()
        headers[.contentType] = "application/json"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: Self.openAPIDocument))
    }

    private static let openAPIDocument = ByteBuffer(string: OpenAPIDocument.json)
}
