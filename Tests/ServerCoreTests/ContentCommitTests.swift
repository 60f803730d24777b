import DbxContent
import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// Content in commits: segment rows, extents, blocks, quota.
@Suite(.timeLimit(.minutes(1)))
struct ContentCommitTests {
    private let fixture: TestServer
    private let device: TestDevice
    private static let segment = ContentLimits.segmentBytes

    init() throws {
        fixture = try TestServer()
        device = try fixture.newDevice()
    }

    private func change(_ id: NodeID, _ content: ContentChange) -> NodeChange {
        NodeChange(id: id, kind: .file, content: content)
    }

    @Test("four KiB changed in a huge file write one segment row")
    func smallChangeInHugeFile() throws {
        let block = device.block()
        try device.upload(block)
        var node = device.node(.file)
        let size = 20 * Self.segment
        node.content = device.content(
            size: size, (0..<20).map { device.segment($0, [($0 * Self.segment, 4_096, block, 0)]) })
        let made = try device.commit(
            [node], [device.entry(device.root, "huge", node.id)], blocks: [device.wrap(block, plainBytes: 4_096)])
        let cursor = try device.pages().last?.cursor

        let patch = device.block()
        try device.upload(patch)
        let start = 7 * Self.segment
        let edit = device.segment(7, [(start, 1_000, block, 0), (start + 8_192, 4_096, patch, 0)])
        let edited = try device.commit(
            [change(node.id, device.content(base: made.seq, size: size, [edit]))],
            blocks: [device.wrap(patch, plainBytes: 4_096)])
        let page = try #require(try device.pages(from: cursor).first)
        #expect(page.segments.map(\.index) == [7])
        #expect(page.blocks.map(\.id) == [patch.id])
        #expect(edited.quota.usedBytes == 20 * 4_096 + 1_000)
        let all = try Replica(device.pages())
        #expect(all.segments[node.id]?.count == 20)
        let revisions = try fixture.server.revisions(
            device.caller, namespace: device.namespace, node: node.id, before: nil, limit: 1)
        #expect(revisions.revisions.map(\.seq) == [edited.seq])
        #expect(revisions.next == edited.seq)
    }

    @Test("an edit is laid over the row that stands, and over no other")
    func edits() throws {
        let block = device.block()
        try device.upload(block)
        var node = device.node(.file)
        let size: Int64 = 40 * 8_192
        let old = device.segment(0, (0..<40).map { ($0 * 8_192, 4_096, block, 0) }).extents
        node.content = device.content(size: size, [SegmentChange(index: 0, extents: old)])
        let made = try device.commit(
            [node], [device.entry(device.root, "f", node.id)], blocks: [device.wrap(block, plainBytes: 4_096)])

        var new = old
        new[7] = Extent(offset: 7 * 8_192, length: 1_000, block: block.id, blockOffset: 96)
        new.removeLast()
        let edit = SegmentChange(index: 0, from: old, to: new)
        #expect(edit.base?.holes.count == 2 && edit.extents.count == 1)
        let edited = try device.commit([change(node.id, device.content(base: made.seq, size: size, [edit]))])
        #expect(edited.quota.usedBytes == 38 * 4_096 + 1_000)
        #expect(try Replica(device.pages()).segments[node.id]?[0]?.extents == new)

        let again = try device.refusal([change(node.id, device.content(base: edited.seq, size: size, [edit]))])
        #expect(again?.kind == .badRequest)
        let short = SegmentChange(index: 0, from: new, to: Array(new.dropFirst()))
        let beyond = try device.refusal([change(node.id, device.content(base: edited.seq, size: 8_192, [short]))])
        #expect(beyond?.kind == .badRequest, "what the edit leaves must end with the file")
        for hole in [FileRange(offset: -1, length: 5), FileRange(offset: 0, length: Self.segment + 1)] {
            var bad = short
            bad.base?.holes = [hole]
            let refused = try device.refusal([change(node.id, device.content(base: edited.seq, size: size, [bad]))])
            #expect(refused?.kind == .badRequest)
        }
    }

    @Test("content is moved within a file, and from the file that another one replaces, and from no other")
    func moves() throws {
        let block = device.block()
        try device.upload(block)
        var node = device.node(.file)
        let size: Int64 = 40 * 4_096
        let old = device.segment(0, (0..<40).map { ($0 * 4_096, 4_096, block, 0) }).extents
        node.content = device.content(size: size, [SegmentChange(index: 0, extents: old)])
        let made = try device.commit(
            [node], [device.entry(device.root, "f", node.id)], blocks: [device.wrap(block, plainBytes: 4_096)])
        let source = try ExtentList(validating: old)
        func shifted(by distance: Int64) -> [Extent] { old.map { $0.moved(by: distance) } }

        let within = SegmentChange(index: 0, from: old, to: shifted(by: 17), source: source)
        #expect(within.base?.moves?.ranges.count == 1 && within.extents.isEmpty)
        var copy = device.node(.file)
        let between = SegmentChange(index: 0, from: [], to: shifted(by: 5), source: source, node: node.id)
        copy.content = device.content(size: size + 5, [between])
        let copied = try device.commit([copy], [device.entry(device.root, "g", copy.id)])
        let edited = try device.commit([change(node.id, device.content(base: made.seq, size: size + 17, [within]))])
        let all = try Replica(device.pages()).segments
        #expect(all[node.id]?[0]?.extents == shifted(by: 17) && all[copy.id]?[0]?.extents == shifted(by: 5))
        #expect(edited.quota.usedBytes == 80 * 4_096 && copied.seq < edited.seq)

        // What is moved is not there any more, or never was this client's to move.
        var bad: [SegmentChange] = [within, between, between, within, within, within]
        bad[1].base?.moves?.node = NodeID(from: SystemEntropy())
        bad[2].base?.moves?.node = copy.id
        bad[3].base?.moves?.ranges[0].from = -5
        bad[4].base?.moves?.ranges[0].length = Self.segment + 1
        bad[5].base?.moves?.ranges = (0..<6).map { MovedRange(offset: $0 * 10, length: 5, from: $0 * Self.segment) }
        for (place, segment) in bad.enumerated() {
            let content = device.content(base: edited.seq, size: size + 17, [segment])
            #expect(try device.refusal([change(node.id, content)])?.kind == .badRequest, "\(place)")
        }
    }

    @Test("a base must be a block of the namespace, and have none itself")
    func bases() throws {
        let (file, seq, base) = try device.makeFile("a")
        func edit(_ block: TestBlock, base: BlockID, at seq: Seq) -> ([NodeChange], [CommittedBlock]) {
            var brought = device.wrap(block, plainBytes: 1_000)
            brought.wrap.base = base
            let content = device.content(base: seq, size: 1_000, [device.segment(0, [(0, 1_000, block, 0)])])
            return ([change(file, content)], [brought])
        }
        let blocks = (0..<3).map { _ in device.block() }
        for block in blocks { try device.upload(block) }
        let unknown = edit(blocks[0], base: blocks[1].id, at: seq)
        let refused = try device.refusal(unknown.0, blocks: unknown.1)
        #expect(refused?.kind == .missingBlocks && refused?.missing == [blocks[1].id])

        let good = edit(blocks[0], base: base.id, at: seq)
        let cursor = try device.pages().last?.cursor
        let made = try device.commit(good.0, blocks: good.1)
        let page = try #require(try device.pages(from: cursor).first)
        #expect(page.blocks.map(\.wrap.base) == [base.id])
        let chained = edit(blocks[2], base: blocks[0].id, at: made.seq)
        #expect(try device.refusal(chained.0, blocks: chained.1)?.kind == .badRequest)
    }

    @Test("a shorter file loses the rows past its end")
    func shorter() throws {
        let (file, seq, block) = try device.makeFile("a")
        let longer = try device.commit([
            change(
                file,
                device.content(
                    base: seq, size: 3 * Self.segment, [device.segment(2, [(2 * Self.segment, 500, block, 0)])]))
        ])
        #expect(longer.quota.usedBytes == 1_500)
        let short = try device.commit([change(file, device.content(base: longer.seq, size: 1_000))])
        #expect(short.quota.usedBytes == 1_000)
        let row = try #require(try Replica(device.pages(from: nil, limit: 1)).live.segments[file])
        #expect(Array(row.keys) == [0])
        let cut = try device.refusal([change(file, device.content(base: short.seq, size: 999))])
        #expect(cut?.kind == .badRequest)
    }

    @Test("extents that are not valid are refused")
    func badExtents() throws {
        let (file, seq, block) = try device.makeFile("a")
        let cases: [(String, Int64, SegmentChange)] = [
            ("overlap", 900, device.segment(0, [(0, 500, block, 0), (499, 1, block, 0)])),
            ("order", 900, device.segment(0, [(500, 1, block, 0), (0, 1, block, 0)])),
            ("past the size", 900, device.segment(0, [(800, 101, block, 0)])),
            ("past the segment", 9 * Self.segment, device.segment(0, [(Self.segment - 1, 2, block, 0)])),
            ("before the segment", 9 * Self.segment, device.segment(1, [(Self.segment - 1, 1, block, 0)])),
            ("past the block", 9_000, device.segment(0, [(0, 501, block, 500)])),
            ("empty", 900, device.segment(0, [(0, 0, block, 0)])),
            ("negative", 900, device.segment(0, [(0, 1, block, -1)])),
            ("absurd", .max - Self.segment, device.segment(0, [(.max - 5, 100, block, 0)])),
            ("index", 900, SegmentChange(index: -1, extents: [])),
        ]
        for (what, size, segment) in cases {
            let edit = change(file, device.content(base: seq, size: size, [segment]))
            #expect(try device.refusal([edit])?.kind == .badRequest, "\(what)")
        }
        let folder = NodeChange(id: device.root, kind: .directory, content: device.content(base: .zero))
        #expect(try device.refusal([folder])?.kind == .badRequest)
    }

    @Test("missing blocks are named, all of them")
    func missingBlocks() throws {
        let (one, two, there) = (device.block(), device.block(), device.block())
        try device.upload(there)
        _ = try device.grant(two)
        var node = device.node(.file)
        node.content = device.content(
            size: 30, [device.segment(0, [(0, 10, one, 0), (10, 10, two, 0), (20, 10, there, 0)])])
        let problem = try device.refusal(
            [node], [device.entry(device.root, "a", node.id)],
            blocks: [one, two, there].map { device.wrap($0, plainBytes: 10) })
        #expect(problem?.kind == .missingBlocks)
        #expect(problem?.missing == [one.id, two.id].sorted())
    }

    @Test("a wrap that is already there stays")
    func wrapStays() throws {
        let (_, _, block) = try device.makeFile("a")
        let before = try Replica(device.pages()).blocks[block.id]
        var node = device.node(.file)
        node.content = device.content(size: 10, [device.segment(0, [(0, 10, block, 0)])])
        try device.commit(
            [node], [device.entry(device.root, "b", node.id)], blocks: [device.wrap(block, plainBytes: 9_999)])
        #expect(try Replica(device.pages()).blocks[block.id] == before)
    }

    @Test("quota refuses what adds and never what frees")
    func quota() throws {
        let (file, seq, block) = try device.makeFile("a", plainBytes: 5_000)
        try fixture.server.setQuota(name: "ada", limitBytes: 4_000)
        var node = device.node(.file)
        node.content = device.content(size: 10, [device.segment(0, [(0, 10, block, 0)])])
        #expect(
            try device.refusal([node], [device.entry(device.root, "b", node.id)])?.kind == .quotaExceeded)
        let smaller = device.segment(0, [(0, 4_500, block, 0)])
        let shrunk = try device.commit([change(file, device.content(base: seq, size: 4_500, [smaller]))])
        #expect(shrunk.quota == Quota(usedBytes: 4_500, limitBytes: 4_000))
        let gone = try device.commit([], [device.entry(device.root, "a", nil, base: seq)])
        #expect(gone.quota.usedBytes == 0)
        try device.commit([node], [device.entry(device.root, "b", node.id)])
        #expect(try fixture.server.quota(device.caller, namespace: device.namespace).usedBytes == 10)
    }

    @Test("status tells live from stored bytes")
    func status() throws {
        let (_, seq, _) = try device.makeFile("a")
        _ = try device.makeFile("b")
        try device.commit([], [device.entry(device.root, "a", nil, base: seq)])
        let status = try fixture.server.status()
        #expect(status.storedBlocks == 2 && status.storedBytes == 200)
        #expect(status.liveBlocks == 1 && status.liveBytes == 100)
        #expect(status.nodes == 2 && status.users == 1 && status.devices == 1)
    }
}
