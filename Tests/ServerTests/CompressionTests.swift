import DbxModel
import DbxTestKit
import DbxWire
import Foundation
import Testing
import Zstd

@Suite("Compressed bodies", .timeLimit(.minutes(1)))
struct CompressionTests {
    private let coding = ZstdCoding()
    private static let encoding = ["Content-Encoding": "zstd"]

    @Test("are taken in commits and given in pages, where the client understands them")
    func bothWays() throws {
        let api = try API.loggedIn()
        let grant = try #require(try api.session().namespaces.first)
        let names = (0..<40).map { "a folder with a number \($0)" }
        let commits = names.map { API.makingDirectory($0, in: grant) }
        var commit = commits[0]
        commit.nodes = commits.flatMap(\.nodes)
        commit.entries = commits.flatMap(\.entries)
        let plain = try WireJSON.encode(commit)
        let body = try #require(coding.encode(plain))
        let namespace = ["namespace": grant.id.hex]
        let taken = try api.call(
            "POST", .commits, namespace, body: body, headers: Self.encoding, expecting: 200)
        let again = try api.call("POST", .commits, namespace, body: plain, expecting: 200)
        #expect(
            try taken.decode(CommitResult.self) == again.decode(CommitResult.self),
            "the digest is that of the commit, not of its coding")

        let page = try api.call("GET", .changes, namespace, expecting: 200)
        #expect(page.headers["content-encoding"] == nil)
        let headers = ["Accept-Encoding": "gzip, zstd", "Authorization": "Bearer \(try #require(api.token))"]
        let coded = try RawHTTP(port: api.server.port).request(
            "GET", Route.changes.rawValue.replacingOccurrences(of: "{namespace}", with: grant.id.hex),
            headers: headers)
        #expect(coded.headers["content-encoding"] == "zstd")
        #expect(coded.body.count < page.body.count / 3)
        let decoded = try coding.decode([UInt8](coded.body), limitBytes: page.body.count)
        let (there, here) = try (
            WireJSON.decode(ChangesPage.self, from: decoded), page.decode(ChangesPage.self)
        )
        #expect(Set(there.nodes) == Set(here.nodes) && Set(there.entries) == Set(here.entries))
    }

    @Test("that hold more than a body may, or are damaged, are refused")
    func hostile() throws {
        let api = try API.loggedIn()
        let namespace = ["namespace": try api.session().root.hex]
        let bomb = try #require(coding.encode([UInt8](repeating: 0x20, count: 40 << 20)))
        for body in [bomb, Array(bomb.dropLast()), Array("{}".utf8), []] {
            try api.call("POST", .commits, namespace, body: body, headers: Self.encoding, expecting: 400)
        }
        for name in ["gzip", "zstd, zstd", "br"] {
            let headers = ["Content-Encoding": name]
            try api.call("POST", .commits, namespace, body: bomb, headers: headers, expecting: 400)
        }
    }

    @Test("are neither taken nor given where passwords, keys and tokens are in them")
    func secrets() throws {
        let api = try API.loggedIn()
        let login = LoginRequest(user: "alice", password: "correct horse", device: String(repeating: "d", count: 900))
        let body = try #require(coding.encode(try WireJSON.encode(login)))
        try api.call("POST", .login, body: body, headers: Self.encoding, expecting: 400)
        let session = try api.call("GET", .session, headers: ["Accept-Encoding": "zstd"], expecting: 200)
        #expect(session.body.count >= ZstdCoding.fewestBytes && session.headers["content-encoding"] == nil)
    }
}
