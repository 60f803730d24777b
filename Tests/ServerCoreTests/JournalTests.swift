import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Foundation
import Testing

/// Changes, cursors, listings, notices, backup and restore.
@Suite(.timeLimit(.minutes(1)))
struct JournalTests {
    private let fixture: TestServer
    private let device: TestDevice

    init() throws {
        fixture = try TestServer()
        device = try fixture.newDevice()
    }

    private func kind(_ cursor: String?) -> ProblemKind? {
        do {
            _ = try device.pages(from: cursor)
            return nil
        } catch {
            return (error as? Problem)?.kind
        }
    }

    @Test("pages never split a seq and come in order")
    func pages() throws {
        for index in 0..<10 {
            let nodes = (0...index % 4).map { _ in device.node(.file) }
            try device.commit(
                nodes, nodes.enumerated().map { device.entry(device.root, "\(index)-\($0)", $1.id) })
        }
        for limit in [1, 2, 5, 7, 1_000] {
            let pages = try device.pages(limit: limit)
            let seqs = pages.map { Set($0.entries.map(\.seq)) }
            for (one, two) in zip(seqs, seqs.dropFirst()) {
                #expect(one.max() ?? .zero < two.min() ?? Seq(.max))
            }
            #expect(pages.allSatisfy { $0.entries.map(\.seq) == $0.entries.map(\.seq).sorted() })
            #expect(
                pages.allSatisfy { page in
                    page.entries.allSatisfy { entry in page.nodes.contains { $0.id == entry.node } }
                })
            #expect(try Replica(pages).live == Replica(device.pages()).live)
        }
    }

    @Test("a first listing has no tombstones, but what goes meanwhile is told")
    func tombstones() throws {
        let (_, seq) = try device.make(.file, "a")
        let (_, second) = try device.make(.file, "b")
        try device.make(.file, "c")
        try device.commit([], [device.entry(device.root, "a", nil, base: seq)])
        let first = try fixture.server.changes(device.caller, namespace: device.namespace, cursor: nil, limit: 1)
        try device.commit([], [device.entry(device.root, "b", nil, base: second)])
        let rest = try device.pages(from: first.cursor, limit: 1)
        let entries = ([first] + rest).flatMap(\.entries)
        #expect(!entries.contains { $0.name.display == "a" })
        #expect(entries.contains { $0.name.display == "b" && $0.node == nil })
    }

    @Test("cursors that were changed or are another's are refused")
    func cursors() throws {
        let cursor = try #require(try device.pages().last?.cursor)
        #expect(kind(cursor) == nil)
        for index in [0, 30, 60, cursor.count - 1] {
            var bytes = Array(cursor.utf8)
            bytes[index] = bytes[index] == 65 ? 66 : 65
            #expect(kind(String(decoding: bytes, as: UTF8.self)) == .badRequest)
        }
        #expect(kind("") == .badRequest)
        let bob = try fixture.newDevice("bob")
        #expect(kind(try bob.pages().last?.cursor) == .badRequest)
    }

    @Test("an up-to-date cursor gets an empty, complete page")
    func upToDate() throws {
        let cursor = try device.pages().last?.cursor
        let page = try #require(try device.pages(from: cursor).first)
        #expect(page.nodes.isEmpty && page.entries.isEmpty && page.complete && page.cursor == cursor)
    }

    @Test("a directory is listed page by page in the order of its names' bytes")
    func listing() throws {
        let names = ["a", "b", "A", "ä", "zz", "0"]
        for name in names { try device.make(.file, name) }
        var found: [String] = []
        var after: String?
        repeat {
            let page = try fixture.server.listing(
                device.caller, namespace: device.namespace, node: device.root, ListingQuery(after: after, limit: 2))
            found += page.entries.map(\.name.display)
            #expect(page.nodes.map(\.id) == page.entries.compactMap(\.node))
            after = page.next
        } while after != nil
        #expect(found == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        #expect(throws: Problem.self) {
            try fixture.server.listing(
                device.caller, namespace: device.namespace, node: NodeID(high: 1, low: 1), ListingQuery())
        }
    }

    @Test("a listing says when it was, brings contents where they are asked for, and a cursor to pull from")
    func listingWithContents() throws {
        let (file, _, block) = try device.makeFile("a")
        func list(_ query: ListingQuery) throws -> ListingPage {
            try fixture.server.listing(device.caller, namespace: device.namespace, node: device.root, query)
        }
        let plain = try list(ListingQuery())
        #expect(plain.segments.isEmpty && plain.blocks.isEmpty)
        let page = try list(ListingQuery(cursor: plain.cursor, content: true))
        #expect(page.segments.map(\.node) == [file] && page.blocks.map(\.id) == [block.id])
        #expect(page.seq == plain.seq)
        #expect(try device.pages(from: page.cursor)[0].entries.isEmpty)
        let (_, seq) = try device.make(.directory, "later")
        let next = try device.pages(from: page.cursor)
        #expect(next.flatMap(\.entries).map(\.name.display) == ["later"] && next.last?.seq == seq)
        // The client tells by it that the directory was made since, and all that is in it.
        #expect(next.flatMap(\.nodes).first { $0.kind == .directory && $0.id != device.root }?.contentSeq == seq)
        #expect(throws: Problem.self) { try list(ListingQuery(cursor: "nonsense")) }
    }

    @Test("a page with contents ends behind the file that makes it large, be it by extents in one block")
    func listingOfManyExtents() throws {
        let extents: Int64 = 50
        for name in ["a", "b", "c"] {
            let block = device.block()
            try device.upload(block)
            var file = device.node(.file)
            let places = (0..<extents).map { ($0 * 20, Int64(10), block, $0 * 10) }
            file.content = device.content(size: extents * 20, [device.segment(0, places)])
            try device.commit(
                [file], [device.entry(device.root, name, file.id)],
                blocks: [device.wrap(block, plainBytes: extents * 10)])
        }
        var pages: [[String]] = []
        var after: String?
        repeat {
            let page = try fixture.server.listing(
                device.caller, namespace: device.namespace, node: device.root,
                ListingQuery(after: after, limit: 20, content: true))
            #expect(page.segments.flatMap(\.extents).count == page.entries.count * Int(extents))
            pages.append(page.entries.map(\.name.display))
            after = page.next
        } while after != nil
        #expect(pages == [["a", "b"], ["c"]])
    }

    @Test("nodes are answered with their contents and everything that leads to them; others are left out")
    func nodes() throws {
        let (above, _) = try device.make(.directory, "above")
        let (directory, _) = try device.make(.directory, "below", in: above)
        try device.make(.file, "beside")
        let (file, _, block) = try device.makeFile("a")
        func ask(_ ids: [NodeID]) throws -> NodesPage {
            try fixture.server.nodes(device.caller, namespace: device.namespace, ids: ids, cursor: nil)
        }
        let page = try ask([directory, file, NodeID(high: 1, low: 1)])
        #expect(Set(page.nodes.map(\.id)) == [directory, above, file, device.root])
        #expect(Set(page.entries.map(\.name.display)) == ["above", "below", "a"])
        #expect(page.segments.map(\.node) == [file] && page.blocks.map(\.id) == [block.id])
        #expect(throws: Problem.self) { try ask([]) }
        #expect(throws: Problem.self) { try ask(Array(repeating: file, count: NodesPage.maximumIDs + 1)) }
    }

    @Test("heads tell what moved since a position")
    func heads() throws {
        let before = try fixture.server.heads(device.caller, after: nil)
        let position = EventPosition(heads: [device.namespace: before[0].seq]).text
        #expect(try fixture.server.heads(device.caller, after: position).isEmpty)
        let (_, seq) = try device.make(.file, "a")
        let moved = ChangeNotice(namespace: device.namespace, seq: seq)
        #expect(try fixture.server.heads(device.caller, after: position) == [moved])
        #expect(throws: Problem.self) { try fixture.server.heads(device.caller, after: "nonsense") }
        #expect(EventPosition(text: EventPosition(moved).text)?.heads == [device.namespace: seq])
    }

    @Test("after a restore the old cursors are gone and everything of the backup is there")
    func restore() throws {
        let (file, _, block) = try device.makeFile("a")
        let backup = fixture.directory.path + "/backup"
        let report = try fixture.server.backup(to: backup, includeKey: true)
        #expect(report.objects == 1 && report.bytes == 100 && report.keyIncluded)
        _ = try device.makeFile("lost")
        let cursor = try device.pages().last?.cursor

        let target = TestServer.configuration(fixture.directory.path + "/restored", entropy: SeededEntropy(seed: 5))
        let restored = try Server.restore(from: backup, target)
        #expect(restored.missingBlocks == 0 && restored.objects == 1)
        let server = try Server.open(target)
        let caller = try server.authenticate(token: device.token)
        let page = try server.changes(caller, namespace: device.namespace, cursor: nil, limit: nil)
        #expect(page.entries.map(\.name.display) == ["a"])
        #expect(page.nodes.contains { $0.id == file })
        #expect(try server.readBlock(caller, namespace: device.namespace, block: block.id).bytes == 100)
        #expect(throws: Problem.self) {
            try server.changes(caller, namespace: device.namespace, cursor: cursor, limit: nil)
        }
        #expect(throws: ServerError.self) { try Server.restore(from: backup, target) }
    }

    @Test("a backup without the key says so and is not restored without it")
    func backupWithoutKey() throws {
        let backup = fixture.directory.path + "/backup"
        let report = try fixture.server.backup(to: backup, includeKey: false)
        #expect(report.keyFile == fixture.directory.path + "/data/master.key" && !report.keyIncluded)
        #expect(!FileManager.default.fileExists(atPath: backup + "/master.key"))
        let target = TestServer.configuration(fixture.directory.path + "/restored")
        #expect(throws: ServerError.self) { try Server.restore(from: backup, target) }
        #expect(throws: ServerError.self) { try fixture.server.backup(to: backup, includeKey: false) }
    }

    @Test("data without its key file, or with another's, is not opened")
    func keyFile() throws {
        let data = fixture.directory.path + "/data"
        try FileManager.default.moveItem(atPath: data + "/master.key", toPath: data + "/away")
        #expect(throws: ServerError.self) { try Server.open(TestServer.configuration(data)) }
        #expect(!FileManager.default.fileExists(atPath: data + "/master.key"))
        let other = try TestServer(seed: 9)
        try FileManager.default.copyItem(
            atPath: other.directory.path + "/data/master.key", toPath: data + "/master.key")
        #expect(throws: ServerError.self) { try Server.open(TestServer.configuration(data)) }
    }
}
