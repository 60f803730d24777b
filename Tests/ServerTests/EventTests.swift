import DbxModel
import DbxTestKit
import DbxWire
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1)))
struct EventTests {
    /// Opens the stream and reads the heads that come first.
    private func listen(_ api: API) throws -> RawHTTP {
        let stream = try RawHTTP(port: api.server.port)
        try stream.sendRequest("GET", Route.events.rawValue, headers: ["Authorization": "Bearer \(api.token ?? "")"])
        let head = try stream.readHead()
        #expect(head.status == 200 && head.headers["content-type"] == "text/event-stream")
        #expect(String(decoding: try #require(try stream.readChunk()), as: UTF8.self).contains("event: change\nid: "))
        return stream
    }

    @Test func `the stream begins with the heads and tells every commit`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let stream = try listen(api)
        let commit = API.makingDirectory("a", in: grant)
        let seq = try api.call("POST", .commits, ["namespace": grant.id.hex], json: commit).decode(CommitResult.self)
            .seq
        let event = String(decoding: try #require(try stream.readChunk()), as: UTF8.self)
        #expect(event.hasPrefix("event: change\nid: \(grant.id):\(seq)\ndata: {"))
        #expect(event.hasSuffix("}\n\n"))
    }

    @Test func `the stream ends when its device logs out`() throws {
        let api = try API.loggedIn()
        let stream = try listen(api)
        try api.call("POST", .logout, expecting: 204)
        #expect(try stream.readChunk() == nil)
    }

    @Test func `the stream ends when a command disables the user`() throws {
        let api = try API.loggedIn()
        let stream = try listen(api)
        #expect(try api.server.run(["user", "disable", "alice"]).code == 0)
        try api.call("GET", .session, expecting: 401)
        #expect(try stream.readChunk() == nil)
    }

    @Test func `a stopping server ends streams and polls at once`() throws {
        let api = try API.loggedIn()
        let stream = try listen(api)
        let started = Date()
        #expect(api.server.stop() == 0)
        #expect(try stream.readChunk() == nil)
        #expect(Date().timeIntervalSince(started) < 8)
    }

    @Test func `a poll answers what moved at once, else waits for it`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let heads = try api.call("GET", .eventsPoll, expecting: 200).decode(PollResponse.self).changes
        #expect(heads == [ChangeNotice(namespace: grant.id, seq: grant.head)])
        let after = "after=\(grant.id):\(grant.head)"
        let nothing = try api.call("GET", .eventsPoll, query: after + "&timeout=1", expecting: 200)
        #expect(try nothing.decode(PollResponse.self).changes.isEmpty)

        let waiting = try RawHTTP(port: api.server.port)
        try waiting.sendRequest(
            "GET", Route.eventsPoll.rawValue + "?" + after, headers: ["Authorization": "Bearer \(api.token ?? "")"])
        let commit = API.makingDirectory("a", in: grant)
        let seq = try api.call("POST", .commits, ["namespace": grant.id.hex], json: commit).decode(CommitResult.self)
            .seq
        let answer = try waiting.readResponse()
        api.check(answer, "GET", .eventsPoll)
        #expect(try answer.decode(PollResponse.self).changes == [ChangeNotice(namespace: grant.id, seq: seq)])
    }

    @Test func `a device that opens too many streams loses its oldest`() throws {
        let api = try API.loggedIn()
        let streams = try (0..<17).map { _ in try listen(api) }
        #expect(try streams[0].readChunk() == nil)
        #expect(!streams[16].isClosed(within: 0.2))
    }
}
