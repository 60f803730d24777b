import DbxModel
import DbxTestKit
import DbxWire
import Testing

@Suite("A packed commit on the wire", .timeLimit(.minutes(1)))
struct PackedCommitTests {
    private static let packed = ["Content-Type": PackedCommit.mediaType]

    @Test("is applied as one in JSON is, and once however often it comes")
    func applied() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let namespace = ["namespace": grant.id.hex]
        let (block, bytes) = API.block(bytes: 9_000)
        try api.upload(bytes, as: block, namespace: grant.id)
        var commit = API.makingFile("a file", of: block, bytes: 9_000, in: grant)
        let folder = API.makingDirectory("a folder", in: grant)
        commit.nodes += folder.nodes
        commit.entries += folder.entries
        let body = PackedCommit.encode(commit)
        let first = try api.call("POST", .commits, namespace, body: body, headers: Self.packed, expecting: 200)
        let again = try api.call("POST", .commits, namespace, body: body, headers: Self.packed, expecting: 200)
        #expect(try first.decode(CommitResult.self).seq == again.decode(CommitResult.self).seq)
        // The same id with other bytes, be they the same rows.
        let other = try api.call("POST", .commits, namespace, json: commit)
        #expect(try other.decode(Problem.self).kind == .commitIDReused)
        let listing = try api.call(
            "GET", .listing, ["namespace": grant.id.hex, "node": grant.rootNode.hex], query: "content=true",
            expecting: 200)
        let page = try listing.decode(ListingPage.self)
        #expect(page.entries.map(\.name) == commit.entries.map(\.name).sorted())
        #expect(page.blocks.map(\.wrap) == commit.blocks.map(\.wrap))
    }

    @Test("that is none, or that breaks a rule, is a bad request, and leaves nothing")
    func refused() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let namespace = ["namespace": grant.id.hex]
        let commit = API.makingDirectory("a folder", in: grant)
        let body = PackedCommit.encode(commit)
        var withoutNode = commit
        withoutNode.nodes = []
        let entropy = SeededEntropy(seed: 1)
        let bodies = [
            [], [0], Array(body.dropLast()), body + [0], Array(try WireJSON.encode(commit)), entropy.bytes(5_000),
            PackedCommit.encode(withoutNode), PackedCommit.encode(CommitRequest(id: API.newID(), cursor: "none")),
        ]
        for body in bodies {
            let answer = try api.call("POST", .commits, namespace, body: body, headers: Self.packed)
            #expect((400..<500).contains(answer.status), "\(answer.status) \(answer.text)")
        }
        // Without its media type it is not taken for one.
        try api.call("POST", .commits, namespace, body: body, expecting: 400)
        let folder = ["namespace": grant.id.hex, "node": grant.rootNode.hex]
        let page = try api.call("GET", .listing, folder, expecting: 200).decode(ListingPage.self)
        #expect(page.entries.isEmpty)
    }
}
