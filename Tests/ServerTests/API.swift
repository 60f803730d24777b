import Crypto
import DbxModel
import DbxTestKit
import DbxWire
import Foundation
import Testing

/// A device of a test that talks to a real server and holds every answer to the OpenAPI document that the server
/// itself serves: the status must be listed, the body must fit its schema, errors must be problems.
final class API {
    let server: ServerProcess
    let document: [String: Any]
    var token: String?
    private var connection: RawHTTP?

    init(_ server: ServerProcess) throws {
        self.server = server
        let answer = try RawHTTP(port: server.port).request("GET", Route.openAPI.rawValue)
        document = try #require(try answer.json() as? [String: Any])
    }

    /// A server with an account `alice`, and this device logged in to it.
    static func loggedIn(quota: String? = nil) throws -> API {
        let server = try ServerProcess.start()
        try server.addUser("alice", password: "correct horse", quota: quota)
        let api = try API(server)
        try api.logIn()
        return api
    }

    @discardableResult
    func logIn(_ user: String = "alice", device: String = "laptop") throws -> LoginResponse {
        let request = LoginRequest(user: user, password: "correct horse", device: device)
        let login = try call("POST", .login, json: request).decode(LoginResponse.self)
        token = login.token
        return login
    }

    func session() throws -> SessionResponse { try call("GET", .session).decode(SessionResponse.self) }

    // MARK: Calls

    @discardableResult
    func call(
        _ method: String, _ route: Route, _ parameters: [String: String] = [:], query: String = "",
        json: (any Encodable)? = nil, body: [UInt8] = [], headers: [String: String] = [:],
        expecting status: Int? = nil, _ place: SourceLocation = #_sourceLocation
    ) throws -> RawHTTP.Response {
        var path = route.rawValue
        for (name, value) in parameters { path = path.replacingOccurrences(of: "{\(name)}", with: value) }
        var headers = headers
        if let token, headers["Authorization"] == nil { headers["Authorization"] = "Bearer \(token)" }
        let bytes = try json.map { try WireJSON.encode($0) } ?? body
        let target = query.isEmpty ? path : path + "?" + query
        let answer = try exchange { try $0.request(method, target, headers: headers, body: bytes) }
        check(answer, method, route, place)
        if let status {
            #expect(answer.status == status, "\(method) \(target): \(answer.text)", sourceLocation: place)
        }
        return answer
    }

    /// Keeps one connection, as a client does; a closed one is opened again once.
    private func exchange(_ body: (RawHTTP) throws -> RawHTTP.Response) throws -> RawHTTP.Response {
        if let connection, let answer = try? body(connection) {
            if answer.headers["connection"] == "close" { self.connection = nil }
            return answer
        }
        let fresh = try RawHTTP(port: server.port)
        connection = fresh
        return try body(fresh)
    }

    /// Holds an answer to the document.
    func check(_ answer: RawHTTP.Response, _ method: String, _ route: Route, _ place: SourceLocation = #_sourceLocation)
    {
        let name = "\(method) \(route.rawValue) \(answer.status)"
        #expect(answer.status != 500, "\(name): \(answer.text)", sourceLocation: place)
        #expect(answer.headers["x-request-id"] != nil, "\(name) has no request id", sourceLocation: place)
        if answer.status >= 400 { checkProblem(answer, name, place) }
        let schema = JSONSchema(document: document)
        let verb = method == "HEAD" ? "get" : method.lowercased()
        guard
            let operation = schema.resolve("#/paths")?[route.rawValue].flatMap({ ($0 as? [String: Any])?[verb] })
                as? [String: Any]
        else {
            #expect(answer.status == 405, "\(name) is not in the document", sourceLocation: place)
            return
        }
        let responses = operation["responses"] as? [String: [String: Any]] ?? [:]
        guard var described = responses[String(answer.status)] else {
            Issue.record("the document does not say that \(name) happens: \(answer.text)", sourceLocation: place)
            return
        }
        if let reference = described["$ref"] as? String { described = schema.resolve(reference) ?? [:] }
        guard let content = described["content"] as? [String: [String: Any]], method != "HEAD" else {
            #expect(answer.body.isEmpty, "\(name) has a body", sourceLocation: place)
            return
        }
        let type = answer.headers["content-type"] ?? "none"
        guard let media = content[type]?["schema"] as? [String: Any] else {
            Issue.record("\(name) is \(type)", sourceLocation: place)
            return
        }
        if type.hasSuffix("json"), let value = try? answer.json() {
            #expect(schema.mismatches(value, media).isEmpty, "\(name) \(answer.text)", sourceLocation: place)
        }
    }

    func checkProblem(_ answer: RawHTTP.Response, _ name: String, _ place: SourceLocation = #_sourceLocation) {
        if name.hasPrefix("HEAD") { return }
        #expect(answer.headers["content-type"] == "application/problem+json", "\(name)", sourceLocation: place)
        let problem = try? answer.decode(Problem.self)
        #expect(
            problem?.kind != nil && problem?.status == answer.status, "\(name) \(answer.text)", sourceLocation: place)
        #expect(problem?.detail.isEmpty == false, "\(name) says nothing to do", sourceLocation: place)
        if answer.status == 401 { #expect(answer.headers["www-authenticate"] != nil, "\(name)", sourceLocation: place) }
        if answer.status == 405 { #expect(answer.headers["allow"] != nil, "\(name)", sourceLocation: place) }
    }

    // MARK: Making things

    /// A file's worth of stored bytes and the name they have.
    static func block(bytes count: Int) -> (id: BlockID, bytes: [UInt8]) {
        let bytes = SystemEntropy().bytes(count)
        return (BlockID(bytes: Array(SHA256.hash(data: bytes)))!, bytes)
    }

    static func newID<Kind>() -> Identifier<Kind> { Identifier(from: SystemEntropy()) }

    static func attributes(mode: UInt16 = 0o644) -> NodeAttributes {
        let time = Timestamp(seconds: 1_700_000_000, nanoseconds: 1)
        return NodeAttributes(mode: mode, mtime: time, ctime: time, birthTime: time)
    }

    /// A commit that makes one directory in the root.
    static func makingDirectory(_ name: String, in grant: NamespaceGrant) -> CommitRequest {
        let node: NodeID = newID()
        return CommitRequest(
            id: newID(),
            nodes: [
                NodeChange(id: node, kind: .directory, attributes: .init(base: .zero, state: attributes(mode: 0o755)))
            ],
            entries: [EntryChange(parent: grant.rootNode, name: Name(name)!, base: .zero, node: node)])
    }

    /// Uploads a block as a client does, and answers the PUT's response.
    @discardableResult
    func upload(_ bytes: [UInt8], as id: BlockID, namespace: NamespaceID) throws -> RawHTTP.Response {
        let request = UploadRequest(blocks: [OfferedBlock(id: id, storedBytes: Int64(bytes.count))])
        let grant = try call("POST", .uploads, ["namespace": namespace.hex], json: request, expecting: 200)
            .decode(UploadResponse.self).grants[0]
        let upload = try #require(grant.upload)
        return try put(bytes, to: upload)
    }

    func put(_ bytes: [UInt8], to upload: SignedUpload) throws -> RawHTTP.Response {
        let answer = try RawHTTP(port: server.port).request(
            "PUT", upload.url, headers: upload.headers.filter { $0.key.lowercased() != "content-length" }, body: bytes)
        check(answer, "PUT", .upload)
        return answer
    }

    /// A commit that makes one file of one block in the root.
    static func makingFile(
        _ name: String, of block: BlockID, bytes: Int64, in grant: NamespaceGrant, node: NodeID = newID()
    ) -> CommitRequest {
        let time = Timestamp(seconds: 1_700_000_000, nanoseconds: 0)
        let extent = Extent(offset: 0, length: bytes, block: block, blockOffset: 0)
        let content = ContentChange(
            base: .zero, size: bytes, mtime: time, ctime: time, segments: [SegmentChange(index: 0, extents: [extent])])
        let wrap = BlockWrap(
            sealed: Base64(SystemEntropy().bytes(92)), key: grant.keys.currentWrapKey!, plainBytes: bytes,
            storedBytes: bytes)
        return CommitRequest(
            id: newID(),
            nodes: [
                NodeChange(id: node, kind: .file, attributes: .init(base: .zero, state: attributes()), content: content)
            ],
            entries: [EntryChange(parent: grant.rootNode, name: Name(name)!, base: .zero, node: node)],
            blocks: [CommittedBlock(id: block, wrap: wrap)])
    }
}
