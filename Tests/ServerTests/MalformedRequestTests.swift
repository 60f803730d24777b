import DbxModel
import DbxTestKit
import DbxWire
import Foundation
import Testing

/// Requests that no good client sends. The answer is the documented problem, never a 500, and the server lives on.
@Suite(.timeLimit(.minutes(1)))
struct MalformedRequestTests {
    private static let id = String(repeating: "0", count: 32)
    private static let operations: [(String, Route)] = [
        ("POST", .login), ("POST", .logout), ("GET", .session), ("GET", .devices), ("DELETE", .device),
        ("GET", .changes),
        ("POST", .commits), ("POST", .uploads), ("GET", .block), ("GET", .listing), ("GET", .revisions),
        ("GET", .events),
        ("GET", .eventsPoll), ("PUT", .upload), ("GET", .health), ("GET", .ready), ("GET", .openAPI),
    ]
    private static let open: Set<Route> = [.health, .ready, .openAPI, .login, .upload]
    private static let parameters = [
        "namespace": id, "node": id, "device": id, "upload": id, "block": id + id,
    ]

    @Test func `without a token, or with a wrong one, everything private is refused`() throws {
        let api = try API(try ServerProcess.start())
        for (method, route) in Self.operations where !Self.open.contains(route) {
            let body = method == "POST" ? Array("{}".utf8) : []
            try api.call(method, route, Self.parameters, body: body, expecting: 401)
            for value in [
                "Bearer wrong", "Bearer ", "Bearer", "Basic YTpi", "\u{1F600}",
                "Bearer " + String(repeating: "x", count: 5_000),
            ] {
                try api.call(
                    method, route, Self.parameters, body: body, headers: ["Authorization": value], expecting: 401)
            }
        }
    }

    @Test func `bodies that are no JSON, or another JSON, name what is wrong`() throws {
        let api = try API.loggedIn()
        let namespace = try api.session().root.hex
        let bodies = [
            "", "{", "null", "[]", "\"x\"", "1e999", "{}", "{\"id\":1}", "\u{0}", "[[[[[[[[",
            "{\"user\":1,\"password\":2,\"device\":3}", "{\"blocks\":{}}",
            "{\"blocks\":[{\"id\":\"zz\",\"storedBytes\":1}]}",
            "{\"blocks\":[{\"id\":\"\(Self.id + Self.id)\",\"storedBytes\":-1}]}",
            "{\"blocks\":[{\"id\":\"\(Self.id + Self.id)\",\"storedBytes\":9223372036854775807}]}",
            "{\"blocks\":[{\"id\":\"\(Self.id + Self.id)\",\"storedBytes\":1e400}]}",
            "{\"id\":\"\(Self.id)\",\"nodes\":[{}],\"entries\":[],\"directoryTimes\":[],\"blocks\":[]}",
            "{\"id\":\"\(Self.id)\",\"nodes\":[],\"entries\":[{\"parent\":\"\(Self.id)\",\"name\":\"a/b\",\"base\":0}],"
                + "\"directoryTimes\":[],\"blocks\":[]}",
            String(repeating: "[", count: 100_000),
        ]
        for body in bodies {
            // To that route these are requests for no uploads: members that a route does not know are ignored.
            let isUpload = body.hasSuffix("\"blocks\":[]}")
            for route in isUpload ? [Route.login, .commits] : [Route.login, .commits, .uploads] {
                let answer = try api.call("POST", route, ["namespace": namespace], body: Array(body.utf8))
                #expect(
                    [400, 413].contains(answer.status), "\(route) \(body.prefix(60)): \(answer.status) \(answer.text)")
            }
        }
        let named = try api.call("POST", .commits, ["namespace": namespace], body: Array("{\"id\":7}".utf8))
        #expect(try named.decode(Problem.self).detail.contains("id"))
        try api.call("POST", .login, body: [0xFF, 0xFE, 0x80], expecting: 400)
    }

    @Test func `ids that are none are refused`() throws {
        let api = try API.loggedIn()
        for bad in ["x", "0", Self.id + "0", String(repeating: "g", count: 32), "%00", "..", "%2e%2e", "-1"] {
            for (method, route) in Self.operations where route.rawValue.contains("{") {
                let all = Dictionary(uniqueKeysWithValues: Self.parameters.keys.map { ($0, bad) })
                let body = method == "POST" ? try WireJSON.encode(UploadRequest(blocks: [])) : []
                let answer = try api.call(method, route, all, body: body)
                #expect([400, 401, 403, 404].contains(answer.status), "\(method) \(route) \(bad) \(answer.status)")
            }
        }
    }

    @Test func `queries that are wrong are refused`() throws {
        let api = try API.loggedIn()
        let session = try api.session()
        let here = ["namespace": session.root.hex, "node": session.namespaces[0].rootNode.hex]
        for query in [
            "limit=0", "limit=-1", "limit=x", "limit=99999999999999999999", "bogus=1", "limit=1&limit=2", "limit=%ff",
        ] {
            for route in [Route.changes, .listing, .revisions] {
                try api.call("GET", route, here, query: query, expecting: 400)
            }
        }
        for cursor in ["x", "%00", String(repeating: "A", count: 4_000), "AAAA.BBBB"] {
            let answer = try api.call("GET", .changes, here, query: "cursor=\(cursor)")
            #expect([400, 410].contains(answer.status), "\(cursor)")
        }
        for query in ["after=x", "after=\(Self.id):-1", "timeout=56", "timeout=x", "after=\(Self.id)"] {
            try api.call("GET", .eventsPoll, query: query, expecting: 400)
        }
    }

    @Test func `bodies that are too large are refused, announced or not`() throws {
        let api = try API.loggedIn()
        let namespace = try api.session().root.hex
        try api.call("POST", .login, body: [UInt8](repeating: 0x20, count: 20_000), expecting: 413)
        try api.call(
            "POST", .commits, ["namespace": namespace], body: [UInt8](repeating: 0x20, count: (24 << 20) + 1),
            expecting: 413)
        let connection = try RawHTTP(port: api.server.port)
        let path = Route.login.rawValue
        try connection.send(Array("POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n".utf8))
        #expect(try connection.readResponse().status == 413)
        let chunked = try RawHTTP(port: api.server.port)
        try chunked.send(Array("POST \(path) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".utf8))
        for _ in 0..<5 {
            try chunked.send(Array("2000\r\n".utf8) + [UInt8](repeating: 0x20, count: 0x2000) + Array("\r\n".utf8))
        }
        #expect(try chunked.readResponse().status == 413)
        try api.call("GET", .health, expecting: 200)
    }

    @Test func `random bytes instead of a path or a request end nothing`() throws {
        let api = try API(try ServerProcess.start())
        let entropy = SystemEntropy()
        for round in 0..<60 {
            let noise = entropy.bytes(1 + round * 3)
            let target = round.isMultiple(of: 2) ? noise.filter { $0 > 0x20 && $0 != 0x7F } : noise
            let connection = try RawHTTP(port: api.server.port, seconds: 5)
            try? connection.send(Array("GET /v1/".utf8) + target + Array(" HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
            connection.finishSending()
            if let answer = try? connection.readResponse() {
                #expect((400..<500).contains(answer.status), "\(noise.hex)")
            }
            let raw = try RawHTTP(port: api.server.port, seconds: 5)
            try? raw.send(noise + Array("\r\n\r\n".utf8))
            raw.finishSending()
            if let answer = try? raw.readResponse() { #expect((400..<500).contains(answer.status), "\(noise.hex)") }
        }
        for path in [
            "/", "//", "/v1", "/v1/", "/v1/health/", "/v1//health", "/v1/%68ealth", "/../../etc/passwd",
            "/v1/nothing?x",
        ] {
            let answer = try RawHTTP(port: api.server.port).request("GET", path)
            #expect(answer.status == 404, "\(path)")
            api.checkProblem(answer, path)
        }
        try api.call("GET", .health, expecting: 200)
        #expect(api.server.isRunning)
    }

    @Test func `uploads that do not fit their grant leave nothing and can be repeated`() throws {
        let api = try API.loggedIn()
        let namespace = try api.session().root
        let (id, bytes) = API.block(bytes: 100_000)
        let request = UploadRequest(blocks: [OfferedBlock(id: id, storedBytes: 100_000)])
        let upload = try #require(
            try api.call("POST", .uploads, ["namespace": namespace.hex], json: request).decode(UploadResponse.self)
                .grants[0]
                .upload)
        #expect([400, 403].contains(try api.put(API.block(bytes: 100_000).bytes, to: upload).status))
        #expect([400, 403].contains(try api.put(Array(bytes.dropLast()), to: upload).status))
        #expect([400, 403, 413].contains(try api.put(bytes + [0], to: upload).status))
        #expect([400, 403].contains(try api.put([], to: upload).status))
        var forged = upload
        forged.url = upload.url.replacing("signature=", with: "signature=AAAA")
        #expect([400, 401, 403, 404].contains(try api.put(bytes, to: forged).status))
        forged.url = String(upload.url.prefix { $0 != "?" })
        #expect([400, 401, 403, 404].contains(try api.put(bytes, to: forged).status))

        let cut = try RawHTTP(port: api.server.port)
        try cut.sendRequest(
            "PUT", upload.url, headers: upload.headers.merging(["Content-Length": "100000"]) { $1 },
            body: Array(bytes[..<500]))
        cut.finishSending()
        _ = cut.isClosed(within: 2)
        #expect(try api.put(bytes, to: upload).status == 204)
        #expect(try api.put(bytes, to: upload).status == 204)
    }

    @Test func `a header that is too large, and a method that is none, are refused`() throws {
        let api = try API(try ServerProcess.start())
        let big = try RawHTTP(port: api.server.port)
        try? big.sendRequest("GET", "/v1/health", headers: ["X-Big": String(repeating: "x", count: 200_000)])
        if let answer = try? big.readResponse() { #expect((400..<500).contains(answer.status)) }
        let method = try RawHTTP(port: api.server.port).request("BREW", "/v1/health")
        #expect([400, 405].contains(method.status))
        try api.call("GET", .health, expecting: 200)
    }
}
