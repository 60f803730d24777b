/// The OpenAPI 3.1 description of the REST interface, served at `/v1/openapi.json`. The tests hold the server to it:
/// every operation is here with every status it answers, and every answer fits its schema.
package enum OpenAPIDocument {
    package static let json = """
        {
          "openapi": "3.1.0",
          "info": {
            "title": "dbxfs-server",
            "version": "1",
            "description": "Trees of files as row changes, and the blocks that hold their content. Times are nanoseconds since 1970. Every error is an RFC 9457 problem whose type is urn:dbxfs:problem: and a word; its detail says what to do. See docs/PROTOCOL.md."
          },
          "servers": [{ "url": "/" }],
          "security": [{ "token": [] }],
          "paths": {
        \(operationPaths),
        \(accountPaths),
        \(treePaths),
        \(blockPaths),
        \(eventPaths)
          },
          "components": {
            "securitySchemes": {
              "token": { "type": "http", "scheme": "bearer", "description": "The token that login answered." }
            },
            "parameters": {
        \(parameters)
            },
            "responses": {
        \(responses)
            },
            "schemas": {
        \(sessionSchemas),
        \(rowSchemas),
        \(commitSchemas),
        \(transferSchemas)
            }
          }
        }
        """

    static let parameters = """
        "namespace": { "name": "namespace", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Id" } },
        "node": { "name": "node", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Id" } },
        "device": { "name": "device", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Id" } },
        "upload": { "name": "upload", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Id" } },
        "block": { "name": "block", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/BlockId" } },
        "cursor": { "name": "cursor", "in": "query", "description": "The answer is not older than this.", "schema": { "type": "string" } },
        "limit": { "name": "limit", "in": "query", "description": "Rows in one page, about.", "schema": { "type": "integer", "minimum": 1, "maximum": 10000 } }
        """

    /// One named response for each problem status.
    static let responses = [
        ("BadRequest", "Malformed: bad-request. The detail names what is wrong."),
        ("Unauthenticated", "Not logged in, or the token is revoked: unauthenticated."),
        ("Forbidden", "Not allowed: forbidden or quota-exceeded."),
        ("NotFound", "Not there, or not for this device: not-found."),
        ("Conflict", "conflict with the current rows, missing-blocks with their ids, or commit-id-reused."),
        ("Gone", "The cursor is too old: cursor-gone. List again."),
        ("TooLarge", "The body is too large: payload-too-large."),
        (
            "Unprocessable",
            "It would break the tree: invalid-tree; or touches what the server cannot read any more: damaged-data."
        ),
        ("TooMany", "Too often: too-many-requests. Retry-After says when to try again."),
        ("Failed", "The server failed: internal. Its log says why."),
        ("Unavailable", "Not ready: unavailable. Retry-After says when to try again."),
        ("Full", "The server's storage is full: storage-full."),
    ].map { name, description in
        """
        "\(name)": { "description": "\(description)", "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } }
        """
    }.joined(separator: ",\n")

    /// The members of `responses` for problems, by status.
    static func problems(_ statuses: Int...) -> String {
        let names: [Int: String] = [
            400: "BadRequest", 401: "Unauthenticated", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Gone",
            413: "TooLarge", 422: "Unprocessable", 429: "TooMany", 500: "Failed", 503: "Unavailable", 507: "Full",
        ]
        return (statuses + [500, 503]).compactMap { status in
            names[status].map { "\"\(status)\": { \"$ref\": \"#/components/responses/\($0)\" }" }
        }.joined(separator: ", ")
    }

    /// A success with a JSON body.
    static func ok(_ description: String, _ schema: String) -> String {
        """
        "200": { "description": "\(description)", "content": { "application/json": { "schema": \(schema) } } }
        """
    }

    static func reference(_ schema: String) -> String { "{ \"$ref\": \"#/components/schemas/\(schema)\" }" }

    /// A body in JSON, or in bytes of the media type `packed` as docs/PROTOCOL.md describes it.
    static func body(_ schema: String, packed: String? = nil) -> String {
        let bytes = packed.map { ", \"\($0)\": { \"schema\": { \"type\": \"string\", \"format\": \"binary\" } }" } ?? ""
        return
            "\"requestBody\": { \"required\": true, \"content\": { \"application/json\": { \"schema\": \(reference(schema)) }\(bytes) } }"
    }

    static func inPath(_ names: String...) -> String {
        "\"parameters\": [" + names.map { "{ \"$ref\": \"#/components/parameters/\($0)\" }" }.joined(separator: ", ")
            + "]"
    }
}
