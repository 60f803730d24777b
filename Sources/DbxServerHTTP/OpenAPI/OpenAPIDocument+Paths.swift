import DbxWire

extension OpenAPIDocument {
    static let operationPaths = """
        "/v1/health": {
          "get": {
            "operationId": "health", "summary": "Whether the process answers", "security": [],
            "responses": { \(ok("It does.", reference("Health"))), \(problems(400)) }
          }
        },
        "/v1/ready": {
          "get": {
            "operationId": "ready", "summary": "Whether the store can be read and written", "security": [],
            "responses": { \(ok("It can.", reference("Health"))), \(problems(400, 507)) }
          }
        },
        "/v1/openapi.json": {
          "get": {
            "operationId": "openAPI", "summary": "This document", "security": [],
            "responses": { \(ok("OpenAPI 3.1.", "{ \"type\": \"object\" }")), \(problems(400)) }
          }
        }
        """

    static let accountPaths = """
        "/v1/login": {
          "post": {
            "operationId": "login", "summary": "Make this device known and get its token", "security": [],
            \(body("LoginRequest")),
            "responses": { \(ok("The token, shown once.", reference("LoginResponse"))), \(problems(400, 401, 403, 413, 429)) }
          }
        },
        "/v1/logout": {
          "post": {
            "operationId": "logout", "summary": "Revoke the token of this request",
            "responses": { "204": { "description": "Revoked." }, \(problems(400, 401)) }
          }
        },
        "/v1/session": {
          "get": {
            "operationId": "session", "summary": "Who the token stands for and what it may open, with keys",
            "responses": { \(ok("The session.", reference("SessionResponse"))), \(problems(400, 401)) }
          }
        },
        "/v1/devices": {
          "get": {
            "operationId": "listDevices", "summary": "The user's devices",
            "responses": { \(ok("All that are not revoked.", "{ \"type\": \"array\", \"items\": \(reference("DeviceRow")) }")), \(problems(400, 401)) }
          }
        },
        "/v1/devices/{device}": {
          \(inPath("device")),
          "delete": {
            "operationId": "revokeDevice", "summary": "Revoke a device of the user",
            "responses": { "204": { "description": "Revoked." }, \(problems(400, 401, 404)) }
          }
        }
        """

    static let treePaths = """
        "/v1/namespaces/{namespace}/changes": {
          \(inPath("namespace")),
          "get": {
            "operationId": "changes", "summary": "Rows that changed since a cursor, in seq order",
            "parameters": [
              { "name": "cursor", "in": "query", "description": "From the last page; from the beginning without.", "schema": { "type": "string" } },
              { "$ref": "#/components/parameters/limit" }
            ],
            "responses": { \(ok("One page.", reference("ChangesPage"))), \(problems(400, 401, 403, 404, 410)) }
          }
        },
        "/v1/namespaces/{namespace}/commits": {
          \(inPath("namespace")),
          "post": {
            "operationId": "commit", "summary": "Apply a changeset as a whole, or nothing of it",
            \(body("CommitRequest", packed: PackedCommit.mediaType)),
            "responses": { \(ok("Applied, now or when the same commit came first.", reference("CommitResult"))), \(problems(400, 401, 403, 404, 409, 410, 413, 422, 429, 507)) }
          }
        },
        "/v1/namespaces/{namespace}/nodes": {
          \(inPath("namespace")),
          "get": {
            "operationId": "readNodes", "summary": "Nodes with their content and all that leads to them; those that never existed are left out",
            "parameters": [
              { "name": "ids", "in": "query", "required": true, "description": "1 to 100 ids, with commas between.", "schema": { "type": "string" } },
              { "$ref": "#/components/parameters/cursor" }
            ],
            "responses": { \(ok("The rows.", reference("NodesPage"))), \(problems(400, 401, 403, 404, 410)) }
          }
        },
        "/v1/namespaces/{namespace}/nodes/{node}/entries": {
          \(inPath("namespace", "node")),
          "get": {
            "operationId": "listDirectory", "summary": "What a directory holds, in name order",
            "parameters": [
              { "name": "after", "in": "query", "description": "next of the last page.", "schema": { "type": "string" } },
              { "$ref": "#/components/parameters/limit" },
              { "$ref": "#/components/parameters/cursor" },
              { "name": "content", "in": "query", "description": "Whether the files' segments and blocks come too.", "schema": { "type": "boolean" } }
            ],
            "responses": {
              "200": { "description": "One page; packed, as docs/PROTOCOL.md says, for who accepts that.", "content": { "application/json": { "schema": \(reference("ListingPage")) }, "\(PackedListing.mediaType)": { "schema": { "type": "string", "format": "binary" } } } },
              \(problems(400, 401, 403, 404, 410)) }
          }
        },
        "/v1/namespaces/{namespace}/nodes/{node}/revisions": {
          \(inPath("namespace", "node")),
          "get": {
            "operationId": "listRevisions", "summary": "The content states of a file, newest first",
            "parameters": [
              { "name": "before", "in": "query", "description": "next of the last page.", "schema": { "$ref": "#/components/schemas/Seq" } },
              { "$ref": "#/components/parameters/limit" }
            ],
            "responses": { \(ok("One page.", reference("RevisionsPage"))), \(problems(400, 401, 403, 404)) }
          }
        }
        """

    static let blockPaths = """
        "/v1/namespaces/{namespace}/uploads": {
          \(inPath("namespace")),
          "post": {
            "operationId": "requestUploads", "summary": "Ask for leave to upload blocks",
            \(body("UploadRequest")),
            "responses": { \(ok("One grant for each block, in the same order.", reference("UploadResponse"))), \(problems(400, 401, 403, 404, 413, 429, 507)) }
          }
        },
        "/v1/uploads/{upload}": {
          \(inPath("upload")),
          "put": {
            "operationId": "upload", "summary": "Send the bytes of a granted block, with the URL and headers of its grant",
            "security": [],
            "requestBody": { "required": true, "content": { "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } } },
            "responses": { "204": { "description": "Stored, or known already." }, \(problems(400, 401, 403, 404, 413, 507)) }
          }
        },
        "/v1/namespaces/{namespace}/packs": {
          \(inPath("namespace")),
          "post": {
            "operationId": "storePack", "summary": "Send the bytes of many small granted blocks",
            "requestBody": { "required": true, "content": { "application/octet-stream": { "schema": { "type": "string", "format": "binary", "description": "Up to 256 different blocks of up to 256 KiB, each behind its length as four bytes, the highest first." } } } },
            "responses": { \(ok("For each block, in order, whether this device has a receipt now.", reference("PackResponse"))), \(problems(400, 401, 403, 404, 413, 507)) }
          }
        },
        "/v1/namespaces/{namespace}/blocks": {
          \(inPath("namespace")),
          "post": {
            "operationId": "readBlocks", "summary": "The stored bytes of many small blocks",
            \(body("BlocksRequest")),
            "responses": {
              "200": { "description": "For each block asked for, in order: its length as four bytes, the highest first, and its bytes. Length 0: ask for it alone, the answer says why it cannot be had.", "content": { "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } } },
              \(problems(400, 401, 403, 404, 413))
            }
          }
        },
        "/v1/namespaces/{namespace}/blocks/{block}": {
          \(inPath("namespace", "block")),
          "get": {
            "operationId": "readBlock", "summary": "The stored bytes of a block; HEAD for its length",
            "parameters": [
              { "name": "Range", "in": "header", "description": "One range of bytes.", "schema": { "type": "string" } },
              { "name": "If-None-Match", "in": "header", "schema": { "type": "string" } }
            ],
            "responses": {
              "200": { "description": "The block.", "content": { "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } } },
              "206": { "description": "The range.", "content": { "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } } },
              "304": { "description": "The client has it." },
              "416": { "description": "The range lies behind the end; Content-Range gives the length: bad-request.", "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } },
              \(problems(400, 401, 403, 404))
            }
          }
        }
        """

    static let eventPaths = """
        "/v1/events": {
          "get": {
            "operationId": "events", "summary": "Server-sent events: the heads now, then every change",
            "responses": {
              "200": { "description": "Events named change with a ChangeNotice as data; a comment every 20 s.", "content": { "text/event-stream": { "schema": { "type": "string" } } } },
              \(problems(400, 401, 429))
            }
          }
        },
        "/v1/events/poll": {
          "get": {
            "operationId": "pollEvents", "summary": "Wait for a change, where streams do not get through",
            "parameters": [
              { "name": "after", "in": "query", "description": "What is known: NAMESPACE:SEQ, separated by commas; the id of an event is one such. Without it every head is answered at once.", "schema": { "type": "string" } },
              { "name": "timeout", "in": "query", "description": "Seconds to wait; 50 unless given.", "schema": { "type": "integer", "minimum": 0, "maximum": 55 } }
            ],
            "responses": { \(ok("What has moved; empty at the timeout.", reference("PollResponse"))), \(problems(400, 401, 429)) }
          }
        }
        """
}
