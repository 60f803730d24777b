import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// Uploads, receipts, and who may know what of blocks (DESIGN §4.3, §4.4).
@Suite(.timeLimit(.minutes(1)))
struct UploadTests {
    private let fixture: TestServer
    private let ada: TestDevice

    init() throws {
        fixture = try TestServer()
        ada = try fixture.newDevice()
    }

    private func read(_ block: TestBlock, as device: TestDevice) throws -> [UInt8] { try device.read(block) }

    @Test("an uploaded and committed block is read back")
    func roundTrip() throws {
        let (_, _, block) = try ada.makeFile("a")
        #expect(try read(block, as: ada) == block.stored)
    }

    @Test("what a signature does not cover is refused")
    func signature() throws {
        let block = ada.block()
        let good = ada.incoming(try #require(try ada.grant(block).upload), bytes: 100)
        let changes: [(inout IncomingUpload) -> Void] = [
            { $0.method = "POST" },
            { $0.upload = UploadID(high: 1, low: 2) },
            { $0.contentLength = 99 },
            { $0.query["expires"]! += "0" },
            { $0.query["signature"] = nil },
            { $0.query["signature"]!.removeLast(3) },
            { $0.headers = $0.headers.mapValues { _ in BlockID(bytes: [UInt8](repeating: 1, count: 32))!.hex } },
            { $0.headers = [:] },
        ]
        for change in changes {
            var bad = good
            change(&bad)
            #expect(problem { _ = try fixture.server.beginUpload(bad) } == .forbidden)
        }
        var unsized = good
        unsized.contentLength = nil
        #expect(problem { _ = try fixture.server.beginUpload(unsized) } == .badRequest)
        fixture.time.advance(by: .seconds(299))
        _ = try fixture.server.beginUpload(good)
        fixture.time.advance(by: .seconds(1))
        #expect(problem { _ = try fixture.server.beginUpload(good) } == .forbidden)
    }

    @Test("bytes of another length or hash give no receipt")
    func wrongBytes() throws {
        let block = ada.block()
        let signed = try #require(try ada.grant(block).upload)
        let incoming = ada.incoming(signed, bytes: 100)
        let long = try fixture.server.beginUpload(incoming)
        #expect(problem { try long.receive([UInt8](repeating: 0, count: 101).span.bytes) } == .payloadTooLarge)
        let short = try fixture.server.beginUpload(incoming)
        try short.receive(Array(block.stored.dropLast()).span.bytes)
        #expect(problem { _ = try short.store() } == .badRequest)
        let other = try fixture.server.beginUpload(incoming)
        try other.receive([UInt8](repeating: 0, count: 100).span.bytes)
        #expect(problem { _ = try other.store() } == .badRequest)
        #expect(problem { _ = try other.store() } == .badRequest)
        #expect(try ada.grant(block).upload != nil)
    }

    @Test("blocks count as uploaded when their receipts are made, many at a time")
    func receiptsTogether() throws {
        let blocks = (0..<5).map { _ in ada.block() }
        let stored = try blocks.map { block in
            let signed = try #require(try ada.grant(block).upload)
            let receiver = try fixture.server.beginUpload(ada.incoming(signed, bytes: block.stored.count))
            try receiver.receive(block.stored.span.bytes)
            return try receiver.store()
        }
        for block in blocks { #expect(try ada.grant(block).upload != nil) }
        for result in fixture.server.confirm(stored) { try result.get() }
        for block in blocks { #expect(try ada.grant(block).upload == nil) }
    }

    @Test("a block that the device uploaded is not asked for again")
    func receipt() throws {
        let block = ada.block()
        try ada.upload(block)
        #expect(try ada.grant(block).upload == nil)
        #expect(try fixture.logIn(device: "desktop").grant(block).upload != nil)
    }

    @Test("a grant asked for twice is one upload and pins once")
    func grantTwice() throws {
        try fixture.server.setQuota(name: "ada", limitBytes: 150)
        let block = ada.block()
        let (one, two) = (try ada.grant(block).upload, try ada.grant(block).upload)
        #expect(one == two && one != nil)
    }

    @Test("another user's block is asked for as if nobody had it")
    func existenceIsHidden() throws {
        let (_, _, block) = try ada.makeFile("secret")
        let bob = try fixture.newDevice("bob")
        let signed = try #require(try bob.grant(block).upload)
        try bob.put(block.stored, to: signed)
        #expect(try fixture.server.status().storedBlocks == 1)
    }

    @Test("what somebody said of a block's length before its bytes came counts for nothing", arguments: [100, 9_000])
    func falseLength(bytes: Int) throws {
        let bob = try fixture.newDevice("bob")
        let block = ada.block(bytes)
        for length in [Int64(1), 9_500] {
            let offered = OfferedBlock(id: block.id, storedBytes: length)
            _ = try? fixture.server.requestUploads(
                bob.caller, namespace: bob.namespace, UploadRequest(blocks: [offered]))
        }
        var committed = ada.wrap(block, plainBytes: 10)
        if bytes > ContentLimits.maximumInlineBytes {
            try ada.upload(block)
        } else {
            committed.body = Base64(block.stored)
        }
        var node = ada.node(.file)
        node.content = ada.content(size: 10, [ada.segment(0, [(0, 10, block, 0)])])
        try ada.commit([node], [ada.entry(ada.root, "a", node.id)], blocks: [committed])
        #expect(try read(block, as: ada) == block.stored)
        #expect(try fixture.server.check().problems.isEmpty)
    }

    @Test("to know a block's hash is not to have the file")
    func hashIsNotTheFile() throws {
        let (_, _, block) = try ada.makeFile("secret")
        let bob = try fixture.newDevice("bob")
        var node = bob.node(.file)
        node.content = bob.content(size: 1_000, [bob.segment(0, [(0, 1_000, block, 0)])])
        let refused = try bob.refusal(
            [node], [bob.entry(bob.root, "stolen", node.id)], blocks: [bob.wrap(block, plainBytes: 1_000)])
        #expect(refused?.missing == [block.id])
        #expect(problem { _ = try read(block, as: bob) } == .notFound)
        #expect(
            problem { _ = try fixture.server.readBlock(bob.caller, namespace: ada.namespace, block: block.id) }
                == .notFound)
    }

    @Test("one device's receipt is no other's")
    func receiptOfAnotherDevice() throws {
        let desktop = try fixture.logIn(device: "desktop")
        let block = ada.block()
        try ada.upload(block)
        var node = desktop.node(.file)
        node.content = desktop.content(size: 10, [desktop.segment(0, [(0, 10, block, 0)])])
        let refused = try desktop.refusal(
            [node], [desktop.entry(desktop.root, "x", node.id)], blocks: [desktop.wrap(block, plainBytes: 10)])
        #expect(refused?.kind == .missingBlocks)
    }

    @Test("uploads count against the quota until they are committed or idle")
    func pins() throws {
        try fixture.server.setQuota(name: "ada", limitBytes: 250)
        let (one, two, three) = (ada.block(), ada.block(), ada.block())
        try ada.upload(one)
        try ada.upload(two)
        #expect(problem { try ada.upload(three) } == .quotaExceeded)
        var node = ada.node(.file)
        node.content = ada.content(size: 10, [ada.segment(0, [(0, 10, one, 0)])])
        try ada.commit([node], [ada.entry(ada.root, "a", node.id)], blocks: [ada.wrap(one, plainBytes: 10)])
        try ada.upload(three)
        #expect(problem { try ada.upload(ada.block()) } == .quotaExceeded)
        fixture.time.advance(by: .seconds(7 * 24 * 3_600 + 1))
        try fixture.server.maintain()
        try ada.upload(ada.block())
        #expect(try ada.grant(three).upload != nil)
    }

    @Test("a revoked device's signed URLs end with it")
    func revoked() throws {
        let desktop = try fixture.logIn(device: "desktop")
        let block = desktop.block()
        let signed = try #require(try desktop.grant(block).upload)
        try fixture.server.revokeDevice(ada.caller, device: desktop.caller.device)
        #expect(problem { try desktop.put(block.stored, to: signed) } == .unauthenticated)
    }
}
