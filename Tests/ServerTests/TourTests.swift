import DbxModel
import DbxTestKit
import DbxWire
import Foundation
import Testing

/// Every operation once with success and with its ordinary refusals; `API` holds each answer to the document.
@Suite(.timeLimit(.minutes(1)))
struct TourTests {
    @Test func `the server says that it is alive and ready`() throws {
        let api = try API(try ServerProcess.start())
        try api.call("GET", .health, expecting: 200)
        try api.call("GET", .ready, expecting: 200)
        let head = try api.call("HEAD", .openAPI, expecting: 200)
        #expect(Int(head.headers["content-length"] ?? "") ?? 0 > 1_000)
    }

    @Test func `a device logs in, is listed, and is gone after logout`() throws {
        let api = try API.loggedIn()
        let session = try api.session()
        #expect(session.userName == "alice" && session.deviceName == "laptop")
        #expect(session.namespaces.contains { $0.id == session.root && $0.role == .owner })
        let devices = try api.call("GET", .devices).decode([DeviceRow].self)
        #expect(devices.map(\.current) == [true])
        #expect(try api.call("GET", .session).headers["cache-control"] == "private, no-cache")
        try api.call("POST", .logout, expecting: 204)
        try api.call("GET", .session, expecting: 401)
    }

    @Test func `a user revokes another of their devices, which is refused at once`() throws {
        let (laptop, phone) = (try API.loggedIn(), try API.loggedIn())
        let other = try API(laptop.server)
        let device = try other.logIn(device: "tablet").device
        try phone.call("DELETE", .device, ["device": device.hex], expecting: 404)
        try laptop.call("DELETE", .device, ["device": device.hex], expecting: 204)
        try other.call("GET", .session, expecting: 401)
        try laptop.call("DELETE", .device, ["device": API.newID() as DeviceID].mapValues(\.hex), expecting: 404)
    }

    @Test func `a wrong password and an unknown user look the same`() throws {
        let api = try API.loggedIn()
        let wrong = LoginRequest(user: "alice", password: "wrong horse", device: "x")
        let unknown = LoginRequest(user: "nobody", password: "wrong horse", device: "x")
        let answers = try [wrong, unknown].map {
            try api.call("POST", .login, json: $0, expecting: 401).decode(Problem.self)
        }
        #expect(answers[0] == answers[1])
    }

    @Test func `a commit is applied once, pulled, listed, and refused on an old base`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let here = ["namespace": grant.id.hex]
        let commit = API.makingDirectory("photos", in: grant)
        let body = try WireJSON.encode(commit)
        let first = try api.call("POST", .commits, here, body: body, expecting: 200).decode(CommitResult.self)
        let again = try api.call("POST", .commits, here, body: body, expecting: 200).decode(CommitResult.self)
        #expect(first.seq == again.seq)

        var other = commit
        other.entries = []
        try api.call("POST", .commits, here, json: other, expecting: 409)
        let clash = try api.call("POST", .commits, here, json: API.makingDirectory("photos", in: grant), expecting: 409)
        #expect(try clash.decode(Problem.self).kind == .conflict)
        #expect(try clash.decode(Problem.self).entries?.first?.name == Name("photos"))

        let page = try api.call("GET", .changes, here, query: "limit=100", expecting: 200).decode(ChangesPage.self)
        #expect(page.complete && page.entries.map(\.name) == [Name("photos")!])
        let later = try api.call(
            "GET", .changes, here, query: "cursor=\(Self.escaped(page.cursor))", expecting: 200
        ).decode(ChangesPage.self)
        #expect(later.complete && later.nodes.isEmpty)
        let listing = try api.call("GET", .listing, here.merging(["node": grant.rootNode.hex]) { $1 }, expecting: 200)
            .decode(ListingPage.self)
        #expect(listing.entries.count == 1)
        let ids = "ids=\(try #require(listing.entries[0].node).hex)&cursor=\(Self.escaped(listing.cursor))"
        let nodes = try api.call("GET", .nodes, here, query: ids, expecting: 200).decode(NodesPage.self)
        #expect(nodes.nodes.count == 2 && nodes.entries.count == 1 && nodes.seq == listing.seq)
        try api.call("GET", .nodes, here, query: "ids=nonsense", expecting: 400)
    }

    @Test func `a commit that breaks the tree is refused as a whole`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        var commit = API.makingDirectory("a", in: grant)
        commit.entries[0].parent = API.newID()
        let answer = try api.call("POST", .commits, ["namespace": grant.id.hex], json: commit, expecting: 422)
        #expect(try answer.decode(Problem.self).kind == .invalidTree)
    }

    @Test func `a block goes up, is committed, and comes down whole, in part, and not again`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let here = ["namespace": grant.id.hex]
        let (id, bytes) = API.block(bytes: (3 << 20) + 17)
        let node: NodeID = API.newID()
        let commit = API.makingFile("film", of: id, bytes: Int64(bytes.count), in: grant, node: node)
        let missing = try api.call("POST", .commits, here, json: commit, expecting: 409).decode(Problem.self)
        #expect(missing.missing == [id])

        #expect(try api.upload(bytes, as: id, namespace: grant.id).status == 204)
        try api.call("POST", .commits, here, json: commit, expecting: 200)
        let block = here.merging(["block": id.hex]) { $1 }
        let whole = try api.call("GET", .block, block, expecting: 200)
        #expect(whole.body == bytes && whole.headers["etag"] == "\"\(id)\"")
        let part = try api.call("GET", .block, block, headers: ["Range": "bytes=100-1500000"], expecting: 206)
        #expect(part.body == Array(bytes[100...1_500_000]))
        #expect(part.headers["content-range"] == "bytes 100-1500000/\(bytes.count)")
        let tail = try api.call("GET", .block, block, headers: ["Range": "bytes=-17"], expecting: 206)
        #expect(tail.body == Array(bytes.suffix(17)))
        try api.call("GET", .block, block, headers: ["Range": "bytes=\(bytes.count)-"], expecting: 416)
        try api.call("GET", .block, block, headers: ["If-None-Match": "\"\(id)\""], expecting: 304)
        let head = try api.call("HEAD", .block, block, expecting: 200)
        #expect(head.headers["content-length"] == String(bytes.count))

        let revisions = try api.call("GET", .revisions, here.merging(["node": node.hex]) { $1 }, expecting: 200)
        #expect(try revisions.decode(RevisionsPage.self).revisions.map(\.size) == [Int64(bytes.count)])
    }

    @Test func `many blocks come in one answer, each by itself, and only what the namespace has`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let here = ["namespace": grant.id.hex]
        // Kept in the database, and as objects of several sizes; more than one chunk of an answer.
        let made = [300, 20_000, 1 << 20, 900_000].map { API.block(bytes: $0) }
        for (index, block) in made.enumerated() {
            try api.upload(block.bytes, as: block.id, namespace: grant.id)
            let commit = API.makingFile(
                "f\(index)", of: block.id, bytes: Int64(block.bytes.count), in: grant, node: API.newID())
            try api.call("POST", .commits, here, json: commit, expecting: 200)
        }
        let unknown = API.block(bytes: 10).id
        let uncommitted = API.block(bytes: 500)
        try api.upload(uncommitted.bytes, as: uncommitted.id, namespace: grant.id)
        let wanted = [made[2].id, unknown, made[0].id, uncommitted.id, made[3].id, made[1].id, made[0].id]
        let answer = try api.call("POST", .blocks, here, json: BlocksRequest(blocks: wanted), expecting: 200)
        let expected = [made[2].bytes, [], made[0].bytes, [], made[3].bytes, made[1].bytes, made[0].bytes]
            .flatMap { BlockFrame.header(length: $0.count) + $0 }
        #expect(answer.body == expected)

        try api.call("POST", .blocks, here, json: BlocksRequest(blocks: []), expecting: 400)
        let many = BlocksRequest(blocks: Array(repeating: unknown, count: BlocksRequest.maximumBlocks + 1))
        try api.call("POST", .blocks, here, json: many, expecting: 413)
        let heavy = BlocksRequest(blocks: Array(repeating: made[2].id, count: 9))
        try api.call("POST", .blocks, here, json: heavy, expecting: 413)
        try api.call("POST", .blocks, here, body: Array("{\"blocks\":[\"zz\"]}".utf8), expecting: 400)
    }

    @Test func `what another user has is not found`() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let (id, bytes) = API.block(bytes: 1_000)
        try api.upload(bytes, as: id, namespace: grant.id)
        try api.call(
            "POST", .commits, ["namespace": grant.id.hex],
            json: API.makingFile("secret", of: id, bytes: 1_000, in: grant), expecting: 200)
        try api.server.addUser("mallory", password: "correct horse")
        let mallory = try API(api.server)
        try mallory.logIn("mallory")
        let foreign = ["namespace": grant.id.hex, "block": id.hex, "node": grant.rootNode.hex]
        for route in [Route.changes, .block, .listing, .revisions] {
            let answer = try mallory.call("GET", route, foreign)
            #expect([403, 404].contains(answer.status), "\(route)")
        }
        // Also through a namespace of her own: knowing an id gives nothing.
        let own = try #require(try mallory.session().namespaces.first)
        let asked = BlocksRequest(blocks: [id])
        let denied = try mallory.call("POST", .blocks, ["namespace": grant.id.hex], json: asked)
        #expect([403, 404].contains(denied.status))
        let empty = try mallory.call("POST", .blocks, ["namespace": own.id.hex], json: asked, expecting: 200)
        #expect(empty.body == BlockFrame.header(length: 0))
        try mallory.call("GET", .block, ["namespace": own.id.hex, "block": id.hex], expecting: 404)
        let commit = API.makingFile("stolen", of: id, bytes: 1_000, in: own)
        try mallory.call("POST", .commits, ["namespace": own.id.hex], json: commit, expecting: 409)
    }

    @Test func `a quota is shown and held`() throws {
        let api = try API.loggedIn(quota: "1M")
        let grant = try #require(try api.session().namespaces.first)
        #expect(grant.quota.limitBytes == 1 << 20)
        let (id, bytes) = API.block(bytes: 2 << 20)
        let request = UploadRequest(blocks: [OfferedBlock(id: id, storedBytes: Int64(bytes.count))])
        let answer = try api.call("POST", .uploads, ["namespace": grant.id.hex], json: request, expecting: 403)
        #expect(try answer.decode(Problem.self).kind == .quotaExceeded)
    }

    static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}
