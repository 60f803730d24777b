import CurlHTTP
import DbxModel
import DbxSystem
import DbxTestKit
import Foundation
import Synchronization
import Testing

@Suite("HTTP connection", .timeLimit(.minutes(1)))
struct HTTPConnectionTests {
    private func connection() -> HTTPConnection { HTTPConnection(trust: .system, time: SystemTime()) }

    private func failure(
        _ url: String, limits: HTTPLimits = HTTPLimits(), limitBytes: Int = 1 << 20
    ) -> TransportError.Kind? {
        do {
            _ = try connection().perform(HTTPRequest(.get, url, limits: limits), into: .collect(limitBytes: limitBytes))
            return nil
        } catch {
            return error.kind
        }
    }

    @Test func `Requests share one kept-alive connection and bring back status, headers and body`() throws {
        let server = try RawServer { peer in
            while let request = peer.readRequest() {
                peer.answer(status: "201 Created", request.body + Array(request.head.utf8))
            }
        }
        defer { server.stop() }
        let connection = connection()
        for count in [0, 1, 3 << 20] {
            let body = SeededEntropy(seed: 1).bytes(count)
            let response = try connection.perform(
                HTTPRequest(
                    .put, server.url + "/a", headers: [("X-Test", "yes"), ("Content-Type", "a/b")], body: body),
                into: .collect(limitBytes: 8 << 20))
            #expect(response.status == 201)
            #expect(response.head.mediaType == "application/json")
            #expect(response.body.prefix(count).elementsEqual(body))
            let head = String(decoding: response.body.dropFirst(count), as: UTF8.self)
            #expect(head.hasPrefix("PUT /a HTTP/1.1\r\n"))
            #expect(head.contains("X-Test: yes") && head.contains("Content-Type: a/b") && !head.contains("Expect"))
            #expect(head.contains("Content-Length: \(count)"))
        }
        for method in [HTTPMethod.get, .delete, .post] {
            let response = try connection.perform(
                HTTPRequest(method, server.url), into: .collect(limitBytes: 1 << 20))
            #expect(String(decoding: response.body, as: UTF8.self).hasPrefix(method.rawValue))
        }
        #expect(server.acceptedConnections == 1)
    }

    @Test func `An answer longer than allowed is an error before it is stored`() throws {
        let server = try RawServer { peer in
            _ = peer.readRequest()
            peer.answer([UInt8](repeating: 1, count: 100_001))
        }
        defer { server.stop() }
        #expect(failure(server.url, limitBytes: 100_000) == .protocol)
    }

    @Test func `Answers that are no HTTP or break off are errors`() throws {
        let scripts: [(TransportError.Kind, @Sendable (RawServer.Peer) -> Void)] = [
            (.protocol, { $0.send("SSH-2.0-OpenSSH_9.2\r\n") }),
            (.unreachable, { $0.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") }),
            (.unreachable, { $0.reset() }),
            (.unreachable, { _ in }),
            (
                .protocol,
                { $0.send("HTTP/1.1 200 OK\r\n" + String(repeating: "X-A: aaaaaaaaaaaaaaaaaaaaa\r\n", count: 9_000)) }
            ),
        ]
        for (expected, script) in scripts {
            let server = try RawServer { peer in
                _ = peer.readRequest()
                script(peer)
            }
            defer { server.stop() }
            #expect(failure(server.url) == expected)
        }
    }

    @Test func `A refused connection and an unknown host are unreachable`() throws {
        let server = try RawServer()
        server.stop()
        #expect(failure("http://127.0.0.1:1") == .unreachable)
        #expect(failure("http://name.invalid", limits: HTTPLimits(connect: .seconds(20))) != nil)
        #expect(failure("ftp://127.0.0.1/") == .protocol)
        #expect(failure("file:///etc/passwd") == .protocol)
    }

    @Test func `Silence ends a request at its limit, and is announced before`() throws {
        let server = try RawServer(isBlackHole: true)
        defer { server.stop() }
        let notices = Atomic(0)
        let start = ContinuousClock.now
        #expect(throws: TransportError.self) {
            _ = try connection().perform(
                HTTPRequest(
                    .get, server.url, limits: HTTPLimits(connect: .milliseconds(300), silence: .milliseconds(500))),
                into: .collect(limitBytes: 10),
                silence: .init(after: .milliseconds(200)) { notices.add(1, ordering: .relaxed) })
        }
        #expect(start.duration(to: .now) < .seconds(10))
        #expect(notices.load(ordering: .relaxed) == 1)
    }

    @Test func `A body that trickles is not silence`() throws {
        let server = try RawServer { peer in
            _ = peer.readRequest()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            for _ in 0..<8 {
                usleep(300_000)
                peer.send("x")
            }
        }
        defer { server.stop() }
        #expect(failure(server.url, limits: HTTPLimits(silence: .milliseconds(1_500))) == nil)
        #expect(failure(server.url, limits: HTTPLimits(silence: .seconds(5), total: .milliseconds(300))) == .timeout)
    }

    @Test func `Cancelling from another thread ends a waiting request at once`() throws {
        let server = try RawServer(isBlackHole: true)
        defer { server.stop() }
        let token = CancelToken()
        Thread.detachNewThread {
            usleep(200_000)
            token.cancel()
        }
        let start = ContinuousClock.now
        let error = #expect(throws: TransportError.self) {
            _ = try connection().perform(HTTPRequest(.get, server.url), into: .collect(limitBytes: 10), cancel: token)
        }
        #expect(error?.kind == .cancelled)
        #expect(start.duration(to: .now) < .seconds(5))
        #expect(throws: TransportError.self) {
            _ = try connection().perform(HTTPRequest(.get, server.url), into: .collect(limitBytes: 10), cancel: token)
        }
    }

    @Test func `A stream hands over its pieces as they come and ends when the receiver says so`() throws {
        let server = try RawServer { peer in
            _ = peer.readRequest()
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            for number in 0..<50 {
                peer.send("data: \(number)\n\n")
                usleep(20_000)
            }
        }
        defer { server.stop() }
        var received: [UInt8] = []
        let error = #expect(throws: TransportError.self) {
            _ = try connection().perform(
                HTTPRequest(.get, server.url),
                into: .stream { head, piece in
                    received += piece
                    return received.count < 30
                })
        }
        #expect(error?.kind == .cancelled)
        #expect((30..<60).contains(received.count))
    }

    @Test func `Redirects are not followed and headers cannot be smuggled`() throws {
        let server = try RawServer { peer in
            _ = peer.readRequest()
            peer.send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        }
        defer { server.stop() }
        let response = try connection().perform(HTTPRequest(.get, server.url), into: .collect(limitBytes: 10))
        #expect(response.status == 302)
        for bad in [("X", "a\r\nY: b"), ("X: y", "b"), ("", "b"), ("X\n", "")] {
            #expect(throws: TransportError.self) {
                _ = try connection().perform(
                    HTTPRequest(.get, server.url, headers: [bad]), into: .collect(limitBytes: 10))
            }
        }
    }

    @Test(arguments: [
        ("http://localhost:80/x", "http://localhost:80", true), ("HTTPS://A.example/", "https://a.example:443", false),
        ("http://[::1]:8080", "http://[::1]:8080", true),
        ("http://127.0.0.1.evil.example/", "http://127.0.0.1.evil.example:80", false),
    ])
    func `Origins are read as curl reads them`(url: String, origin: String, isLoopback: Bool) {
        #expect(Origin(url: url)?.description == origin)
        #expect(Origin(url: url)?.isLoopback == isLoopback)
    }

    @Test(arguments: ["", "x", "ftp://a/", "http://", "http://a@b/", "http://a:b/", "http://a:70000/", "http://a b/"])
    func `What is no plain origin is refused`(url: String) { #expect(Origin(url: url) == nil) }
}
