import DbxModel
import DbxTestKit
import DbxWire
import Testing
import Zstd

@Suite("A packed listing", .timeLimit(.minutes(1)))
struct PackedListingTests {
    @Test("is given to who accepts it, holds what JSON holds, and leads from page to page")
    func bothForms() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let namespace = ["namespace": grant.id.hex]
        for index in 0..<5 {
            let commit = API.makingDirectory("folder \(index)", in: grant)
            try api.call("POST", .commits, namespace, json: commit, expecting: 200)
        }
        let (block, bytes) = API.block(bytes: 9_000)
        try api.upload(bytes, as: block, namespace: grant.id)
        let file = API.makingFile("a file", of: block, bytes: 9_000, in: grant)
        try api.call("POST", .commits, namespace, json: file, expecting: 200)

        let folder = ["namespace": grant.id.hex, "node": grant.rootNode.hex]
        let plain = try api.call("GET", .listing, folder, query: "content=true", expecting: 200)
        #expect(plain.headers["content-type"] == "application/json")
        let expected = try plain.decode(ListingPage.self)
        for accept in [PackedListing.mediaType, "text/html, \(PackedListing.mediaType), application/json"] {
            let answer = try api.call(
                "GET", .listing, folder, query: "content=true", headers: ["Accept": accept], expecting: 200)
            #expect(answer.headers["content-type"] == PackedListing.mediaType)
            let page = try PackedListing.decode([UInt8](answer.body))
            #expect((page.entries, page.nodes) == (expected.entries, expected.nodes))
            #expect((page.segments, page.blocks) == (expected.segments, expected.blocks))
            #expect((page.seq, page.next) == (expected.seq, nil))
        }
        for accept in ["*/*", "application/json", "application/vnd.dbxfs.listing-0"] {
            let answer = try api.call("GET", .listing, folder, headers: ["Accept": accept], expecting: 200)
            #expect(answer.headers["content-type"] == "application/json")
        }

        var found: [Name] = []
        var after = ""
        repeat {
            let answer = try api.call(
                "GET", .listing, folder, query: "limit=2" + after, headers: ["Accept": PackedListing.mediaType],
                expecting: 200)
            let page = try PackedListing.decode([UInt8](answer.body))
            found += page.entries.map(\.name)
            after = page.next.map { "&after=\($0)" } ?? ""
        } while !after.isEmpty
        #expect(found == expected.entries.map(\.name))
    }

    @Test("travels compressed where that is asked for too, and what goes wrong is a problem as ever")
    func compressedAndRefused() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let commits = (0..<60).map { API.makingDirectory("a folder with the number \($0)", in: grant) }
        var commit = commits[0]
        (commit.nodes, commit.entries) = (commits.flatMap(\.nodes), commits.flatMap(\.entries))
        try api.call("POST", .commits, ["namespace": grant.id.hex], json: commit, expecting: 200)
        let headers = ["Accept": PackedListing.mediaType, "Accept-Encoding": "zstd"]
        let folder = ["namespace": grant.id.hex, "node": grant.rootNode.hex]
        let answer = try api.call("GET", .listing, folder, headers: headers, expecting: 200)
        #expect(answer.headers["content-encoding"] == "zstd")
        let page = try PackedListing.decode(ZstdCoding().decode([UInt8](answer.body), limitBytes: 1 << 20))
        #expect(page.entries.count == 60)
        let id: NodeID = API.newID()
        let missing = ["namespace": grant.id.hex, "node": id.hex]
        try api.call("GET", .listing, missing, headers: headers, expecting: 404)
    }
}
