import CurlHTTP
import DbxClientAPI
import DbxModel
import DbxSystem
import DbxWire
import Foundation
import Synchronization
import Testing

@Suite("API over HTTP", .timeLimit(.minutes(1)))
struct HTTPDbxAPITests {
    private let namespace = NamespaceID(high: 1, low: 2)

    private func api(_ server: RawServer) throws -> HTTPDbxAPI {
        let endpoint = try #require(ServerEndpoint(url: server.url + "/", trust: .system))
        return HTTPDbxAPI(endpoint: endpoint, token: "secret", time: SystemTime())
    }

    @Test func `Answers that are not a dbxfs server's are the server being away`() throws {
        let scripts: [@Sendable (RawServer.Peer) -> Void] = [
            { $0.answer(type: "text/html", Array("<h1>Welcome to our hotel</h1>".utf8)) },
            { $0.answer(status: "502 Bad Gateway", type: "text/html", Array("nginx".utf8)) },
            { $0.answer(Array("{\"user\":".utf8)) },
            { $0.answer(Array("[]".utf8)) },
            { $0.send("HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n") },
            { $0.answer(status: "500 Oops", type: "application/problem+json", Array("not json".utf8)) },
        ]
        for script in scripts {
            let server = try RawServer { peer in
                while peer.readRequest() != nil { script(peer) }
            }
            defer { server.stop() }
            let error = #expect(throws: APIError.self) { _ = try api(server).session(cancel: nil) }
            #expect(error?.meaning == .away)
        }
    }

    /// Asks the server anew when it is silent, as Connectivity does.
    private final class Asking: APIObserver {
        let api = Mutex<HTTPDbxAPI?>(nil)
        let failures = Mutex<[APIError]>([])

        func requestWillBeSent() {}
        func serverAnswered() {}
        func requestFailed(_ error: APIError) { failures.withLock { $0.append(error) } }
        func serverIsSilent() {
            let api = api.withLock(\.self)
            Thread.detachNewThread { try? api?.health(cancel: nil) }
        }
    }

    @Test func `What is asked for on a lost connection is asked for once more on a new one`() throws {
        let isLost = Mutex(false)
        let requests = Mutex<[String]>([])
        let body = Array("[]".utf8)
        let server = try RawServer { peer in
            let isOld = !isLost.withLock { $0 }
            while let request = peer.readRequest() {
                requests.withLock { $0.append(String(request.head.prefix { $0 != "\r" })) }
                if isOld, isLost.withLock({ $0 }) { continue }
                peer.answer(body)
            }
        }
        defer { server.stop() }
        let endpoint = try #require(ServerEndpoint(url: server.url + "/", trust: .system))
        let observer = Asking()
        let api = HTTPDbxAPI(endpoint: endpoint, token: "secret", time: SystemTime(), observer: observer)
        observer.api.withLock { $0 = api }
        _ = try api.devices()
        isLost.withLock { $0 = true }
        _ = try api.devices()
        let asked = requests.withLock { $0.map { $0.split(separator: " ")[1].split(separator: "/").last } }
        #expect(asked == ["devices", "devices", "health", "devices"])
        #expect(observer.failures.withLock { $0.isEmpty })
        observer.api.withLock { $0 = nil }
    }

    @Test func `Problems keep their details and when to come back`() throws {
        let problem = Problem(kind: .tooManyRequests, detail: "Wait a little.")
        let body = try WireJSON.encode(problem)
        let server = try RawServer { peer in
            while peer.readRequest() != nil {
                peer.send(
                    "HTTP/1.1 429 Too Many\r\nContent-Type: application/problem+json\r\nRetry-After: 3\r\nContent-Length: \(body.count)\r\n\r\n"
                )
                peer.send(body)
            }
        }
        defer { server.stop() }
        let error = #expect(throws: APIError.self) { _ = try api(server).devices() }
        #expect(error?.problem == problem)
        #expect(error?.retryAfter == .seconds(3))
        #expect(error?.meaning == .busy)
    }

    @Test func `A part of a block is taken as it was asked for, or out of the whole, and from nothing else`() throws {
        let whole = (0..<100).map { UInt8($0) }
        let block = try #require(BlockID(bytes: [UInt8](repeating: 7, count: 32)))
        let answers: [(status: String, range: String?, body: [UInt8], isTaken: Bool)] = [
            ("206 Partial Content", "bytes 10-19/100", Array(whole[10..<20]), true),
            ("200 OK", nil, whole, true),
            ("206 Partial Content", "bytes 10-18/100", Array(whole[10..<19]), false),
            ("206 Partial Content", "bytes 11-20/100", Array(whole[11..<21]), false),
            ("206 Partial Content", "bytes 10-19/99", Array(whole[10..<20]), false),
            ("206 Partial Content", nil, Array(whole[10..<20]), false),
            ("200 OK", nil, Array(whole[10..<20]), false),
        ]
        for answer in answers {
            let server = try RawServer { peer in
                while let request = peer.readRequest() {
                    #expect(request.head.contains("Range: bytes=10-19"))
                    let range = answer.range.map { "Content-Range: \($0)\r\n" } ?? ""
                    peer.send(
                        "HTTP/1.1 \(answer.status)\r\nContent-Type: application/octet-stream\r\n\(range)Content-Length: \(answer.body.count)\r\n\r\n"
                    )
                    peer.send(answer.body)
                }
            }
            defer { server.stop() }
            let api = try api(server)
            let bytes = try? api.blockRange(10..<20, of: block, in: namespace, storedBytes: 100, cancel: nil)
            #expect(bytes == (answer.isTaken ? Array(whole[10..<20]) : nil), "\(answer)")
        }
    }

    @Test func `Blocks of another length are refused`() throws {
        let server = try RawServer { peer in
            while peer.readRequest() != nil { peer.answer(type: "application/octet-stream", [1, 2, 3]) }
        }
        defer { server.stop() }
        let api = try api(server)
        let block = try #require(BlockID(bytes: [UInt8](repeating: 7, count: 32)))
        #expect(try api.block(block, in: namespace, storedBytes: 3, cancel: nil) == [1, 2, 3])
        for length: Int64 in [2, 4] {
            #expect(throws: APIError.self) { _ = try api.block(block, in: namespace, storedBytes: length, cancel: nil) }
        }
    }

    @Test func `Signed uploads go without the token, with exactly their headers`() throws {
        let server = try RawServer { peer in
            while let request = peer.readRequest() {
                let isRight =
                    request.head.hasPrefix("PUT /v1/uploads/1?sig=a%2Fb HTTP/1.1\r\n")
                    && request.head.contains("X-Dbx: yes") && !request.head.contains("Authorization")
                    && request.body == [9, 9]
                peer.answer(status: isRight ? "201 Created" : "400 Bad", type: "text/plain", [])
            }
        }
        defer { server.stop() }
        let grant = SignedUpload(
            url: "/v1/uploads/1?sig=a%2Fb", headers: ["X-Dbx": "yes"], expiresAt: Timestamp(nanoseconds: 0))
        try api(server).putUpload(grant, bytes: [9, 9], cancel: nil)
        #expect(throws: APIError.self) {
            try api(server).putUpload(
                SignedUpload(url: "file:///etc/passwd", headers: [:], expiresAt: grant.expiresAt), bytes: [],
                cancel: nil)
        }
    }

    @Test func `Events arrive as they are sent`() throws {
        let notice = ChangeNotice(namespace: namespace, seq: Seq(5))
        let data = String(decoding: try WireJSON.encode(notice), as: UTF8.self)
        let server = try RawServer { peer in
            _ = peer.readRequest()
            peer.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n\nevent: change\ndata: \(data)\n\n")
        }
        defer { server.stop() }
        var received: [StreamedEvent] = []
        try api(server).events(cancel: nil) { event in
            received.append(event)
            return true
        }
        #expect(received == [.opened, .heartbeat, .change(notice)])
        try api(server).events(cancel: nil) { _ in false }
    }

    @Test(arguments: ["http://files.example", "ftp://a", "https://a?x", "https://user@a", "https://a b"])
    func `Addresses that would send a token in the clear or are malformed are refused`(url: String) {
        #expect(ServerEndpoint(url: url, trust: .system) == nil)
    }
}
