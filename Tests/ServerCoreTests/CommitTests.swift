import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// The rules of a commit, one by one (DESIGN §3, Push).
@Suite(.timeLimit(.minutes(1)))
struct CommitTests {
    private let fixture: TestServer
    private let device: TestDevice

    init() throws {
        fixture = try TestServer()
        device = try fixture.newDevice()
    }

    @Test("rows of a commit carry its seq and its id")
    func rowsCarrySeq() throws {
        let file = device.node(.file)
        let request = device.request([file], [device.entry(device.root, "a", file.id)])
        let result = try device.send(request)
        let row = try #require(try device.row(file.id))
        #expect(result.seq == Seq(2))
        #expect([row.seq, row.attributesSeq, row.contentSeq] == [result.seq, result.seq, result.seq])
        #expect(row.commit == request.id)
    }

    @Test("a repeated commit gets its first answer and changes nothing")
    func repeated() throws {
        let file = device.node(.file)
        let request = device.request([file], [device.entry(device.root, "a", file.id)])
        let first = try device.send(request)
        try device.make(.file, "b")
        let before = try Replica(device.pages())
        #expect(try device.send(request) == first)
        #expect(try Replica(device.pages()) == before)
    }

    @Test("a repeated commit publishes no second notice")
    func repeatedNotice() throws {
        let received = Received()
        let subscription = try fixture.server.subscribe(device.caller) { received.append($0) }
        let file = device.node(.file)
        let request = device.request([file], [device.entry(device.root, "a", file.id)])
        let result = try device.send(request)
        try device.send(request)
        #expect(received.events == [.change(ChangeNotice(namespace: device.namespace, seq: result.seq))])
        subscription.cancel()
    }

    @Test("a commit survives a restart of the server before its answer arrived")
    func repeatedAfterRestart() throws {
        let file = device.node(.file)
        let request = device.request([file], [device.entry(device.root, "a", file.id)])
        let first = try device.send(request)
        let again = try TestServer(directory: fixture.directory, time: fixture.time, seed: 2)
        #expect(try TestDevice(again, token: device.token).send(request) == first)
    }

    @Test("a commit's id with another body is refused")
    func idReused() throws {
        let file = device.node(.file)
        let request = device.request([file], [device.entry(device.root, "a", file.id)])
        try device.send(request)
        #expect(throws: Problem.self) { try device.send(request, digest: [UInt8](repeating: 9, count: 32)) }
    }

    @Test("a refused commit takes no seq")
    func refusedTakesNoSeq() throws {
        let (_, seq) = try device.make(.file, "a")
        #expect(try device.refusal([], [device.entry(device.root, "a", nil)])?.kind == .conflict)
        #expect(try device.make(.file, "b").seq == seq.next)
    }

    @Test("two devices add to one folder without conflict")
    func twoDevices() throws {
        let other = try fixture.logIn(device: "desktop")
        try device.make(.file, "a")
        try other.make(.file, "b")
        #expect(try device.names() == ["a", "b"])
    }

    @Test("stale bases are answered with all current rows")
    func staleBases() throws {
        let (file, seq) = try device.make(.file, "a")
        let newer = try device.commit(
            [NodeChange(id: file, kind: .file, content: device.content(base: seq))],
            [device.entry(device.root, "a", nil, base: seq), device.entry(device.root, "b", file)])
        let stale = NodeChange(id: file, kind: .file, content: device.content(base: seq))
        let problem = try #require(
            try device.refusal([stale], [device.entry(device.root, "a", file, base: seq)]))
        #expect(problem.kind == .conflict)
        #expect(problem.nodes?.map(\.contentSeq) == [newer.seq])
        #expect(problem.entries?.map(\.seq) == [newer.seq])
        #expect(problem.entries?.first?.node == nil)
    }

    @Test("content and attributes have bases of their own")
    func separateBases() throws {
        let (file, seq) = try device.make(.file, "a")
        try device.commit([NodeChange(id: file, kind: .file, content: device.content(base: seq))])
        let chmod = AttributesChange(base: seq, state: device.attributes(mode: 0o600))
        let result = try device.commit([NodeChange(id: file, kind: .file, attributes: chmod)])
        let row = try #require(try device.row(file))
        #expect(row.attributesSeq == result.seq)
        #expect(row.contentSeq == seq.next)
        #expect(row.attributes.mode == 0o600)
    }

    @Test("an entry comes back on its tombstone's seq, or on 0 for who never saw the tombstone")
    func tombstoneBase() throws {
        let (_, seq) = try device.make(.file, "a")
        let removed = try device.commit([], [device.entry(device.root, "a", nil, base: seq)])
        let file = device.node(.file)
        #expect(try device.refusal([file], [device.entry(device.root, "a", file.id, base: seq)])?.kind == .conflict)
        let back = try device.commit([file], [device.entry(device.root, "a", file.id, base: removed.seq)])
        #expect(try device.refusal([device.node(.file)], [device.entry(device.root, "a", nil)])?.kind == .conflict)
        try device.commit([], [device.entry(device.root, "a", nil, base: back.seq)])
        try device.make(.file, "a")
        #expect(try device.names() == ["a"])
    }

    @Test("a node dies with its last entry and keeps its revisions")
    func lastEntry() throws {
        let (file, seq) = try device.make(.file, "a")
        let linked = try device.commit([], [device.entry(device.root, "b", file)])
        try device.commit([], [device.entry(device.root, "a", nil, base: seq)])
        #expect(try device.row(file)?.deleted == false)
        let cursor = try device.pages().last?.cursor
        try device.commit([], [device.entry(device.root, "b", nil, base: linked.seq)])
        #expect(try Replica(device.pages(from: cursor)).nodes[file]?.deleted == true)
        let revisions = try fixture.server.revisions(
            device.caller, namespace: device.namespace, node: file, before: nil, limit: nil)
        #expect(revisions.revisions.map(\.seq) == [seq])
        #expect(revisions.revisions.first?.deviceName == "laptop")
    }

    @Test("what names a node that others deleted is a conflict")
    func deletedMeanwhile() throws {
        let (file, seq) = try device.make(.file, "a")
        try device.commit([], [device.entry(device.root, "a", nil, base: seq)])
        let link = try #require(try device.refusal([], [device.entry(device.root, "b", file)]))
        #expect(link.kind == .conflict)
        #expect(link.nodes?.first?.deleted == true)
        let edit = NodeChange(id: file, kind: .file, content: device.content(base: seq))
        #expect(try device.refusal([edit])?.kind == .conflict)
    }

    @Test("a directory that others have added to is not deleted")
    func notEmpty() throws {
        let (folder, seq) = try device.make(.directory, "d")
        try device.make(.file, "new", in: folder)
        let problem = try #require(try device.refusal([], [device.entry(device.root, "d", nil, base: seq)]))
        #expect(problem.kind == .conflict)
        #expect(problem.entries?.map(\.name.display) == ["new"])
    }

    @Test("a directory goes together with what is in it")
    func wholeDirectory() throws {
        let (folder, seq) = try device.make(.directory, "d")
        let (_, fileSeq) = try device.make(.file, "f", in: folder)
        try device.commit(
            [], [device.entry(device.root, "d", nil, base: seq), device.entry(folder, "f", nil, base: fileSeq)])
        #expect(try device.names() == [])
    }

    @Test("a commit that would break the tree is refused")
    func brokenTrees() throws {
        let (folder, seq) = try device.make(.directory, "d")
        let (inner, innerSeq) = try device.make(.directory, "inner", in: folder)
        let file = device.node(.file)
        let missing = NodeID(from: device.entropy)
        let cases: [(String, [NodeChange], [EntryChange])] = [
            ("no parent", [file], [device.entry(missing, "x", file.id)]),
            ("no node", [], [device.entry(device.root, "x", missing)]),
            ("no entry", [file], []),
            (
                "a cycle", [],
                [device.entry(device.root, "d", nil, base: seq), device.entry(inner, "d", folder)]
            ),
            ("two entries of a directory", [], [device.entry(device.root, "x", folder)]),
            ("an entry of the root", [], [device.entry(folder, "x", device.root)]),
            (
                "a parent that goes", [file],
                [
                    device.entry(folder, "inner", nil, base: innerSeq), device.entry(inner, "x", file.id),
                ]
            ),
        ]
        for (what, nodes, entries) in cases {
            #expect(try device.refusal(nodes, entries)?.kind == .invalidTree, "\(what)")
        }
        #expect(try device.refusal([file], [device.entry(file.id, "x", file.id)])?.kind == .invalidTree)
    }

    @Test("a directory can move below what was its sibling")
    func move() throws {
        let (one, seq) = try device.make(.directory, "one")
        let (two, _) = try device.make(.directory, "two")
        try device.commit([], [device.entry(device.root, "one", nil, base: seq), device.entry(two, "one", one)])
        #expect(try device.names(in: two) == ["one"])
    }

    @Test("a node id that is in use elsewhere is refused")
    func usedID() throws {
        let (file, _) = try device.make(.file, "a")
        let other = try fixture.newDevice("bob")
        #expect(
            try other.refusal([other.node(.file, file)], [other.entry(other.root, "a", file)])?.kind == .invalidTree)
    }

    @Test("a node's kind and a symlink's target never change")
    func kindStays() throws {
        let (link, seq) = try device.make(.symlink, "l")
        var change = device.node(.file, link)
        change.content = nil
        change.attributes?.base = seq
        #expect(try device.refusal([change])?.kind == .badRequest)
        let other = AttributesChange(base: seq, state: device.attributes(), target: Base64(Array("elsewhere".utf8)))
        try device.commit([NodeChange(id: link, kind: .symlink, attributes: other)])
        #expect(try device.row(link)?.target == Array("there".utf8))
    }

    @Test("a directory's row changes with its entries, and its times follow the rule")
    func directoryTimes() throws {
        let (folder, seq) = try device.make(.directory, "d")
        let old = try #require(try device.row(folder)).attributes.mtime
        fixture.time.advance(by: .seconds(10))
        let file = device.node(.file)
        let earlier = Timestamp(nanoseconds: old.nanoseconds - 5)
        let result = try device.commit(
            [file], [device.entry(folder, "f", file.id)],
            times: [DirectoryTime(node: folder, mtime: earlier, explicit: false)])
        var row = try #require(try device.row(folder))
        #expect(row.seq == result.seq && row.attributesSeq == seq)
        #expect(row.attributes.mtime == old)
        try device.commit(times: [DirectoryTime(node: folder, mtime: earlier, explicit: true)])
        row = try #require(try device.row(folder))
        #expect(row.attributes.mtime == earlier)
        try device.make(.file, "g", in: folder)
        #expect(try device.row(folder)?.attributes.mtime == fixture.time.now())
    }

    @Test("several commits share one transaction and fail by themselves")
    func batch() throws {
        let files = (0..<3).map { _ in device.node(.file) }
        let requests = [
            device.request([files[0]], [device.entry(device.root, "a", files[0].id)]),
            device.request([files[1]], [device.entry(device.root, "a", files[1].id)]),
            device.request([files[2]], [device.entry(device.root, "b", files[2].id)]),
        ]
        let results = fixture.server.commit(
            requests.map {
                SubmittedCommit(caller: device.caller, namespace: device.namespace, request: $0, digest: $0.id.bytes)
            })
        #expect(results.map { try? $0.get().seq } == [Seq(2), nil, Seq(3)])
        #expect(try device.names() == ["a", "b"])
    }
}
