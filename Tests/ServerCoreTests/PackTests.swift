import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// Small blocks that come together and lie in one object (docs/decisions/0036).
@Suite("Packs", .timeLimit(.minutes(1)))
struct PackTests {
    private let fixture: TestServer
    private let ada: TestDevice
    private var data: String { fixture.dataDirectory }

    init() throws {
        fixture = try TestServer()
        ada = try fixture.newDevice()
    }

    private func read(_ block: TestBlock, from server: Server? = nil) throws -> [UInt8] {
        try ada.read(block, from: server)
    }

    private func commit(_ blocks: [TestBlock], as name: String = "file") throws {
        var node = ada.node(.file)
        let size = Int64(blocks.count) * 10
        let extents = blocks.enumerated().map { (Int64($0) * 10, Int64(10), $1, Int64(0)) }
        node.content = ada.content(size: size, [ada.segment(0, extents)])
        try ada.commit(
            [node], [ada.entry(ada.root, name, node.id)], blocks: blocks.map { ada.wrap($0, plainBytes: 10) })
    }

    private func objects() throws -> [String] {
        try Shell.script("find \(data)/blocks/objects -type f").split(separator: "\n").map(String.init)
    }

    @Test("of several blocks are one object, give receipts, and are read back")
    func roundTrip() throws {
        let blocks = [9_000, 1, 256 << 10, 70_000].map { ada.block($0) }
        #expect(try ada.pack(blocks) == [true, true, true, true])
        for block in blocks { #expect(try ada.grant(block).upload == nil) }
        #expect(try objects().count == 1)
        try commit(blocks)
        for block in blocks { #expect(try read(block) == block.stored) }
        let many = try fixture.server.readBlocks(
            ada.caller, namespace: ada.namespace, BlocksRequest(blocks: blocks.reversed().map(\.id)))
        #expect((0..<4).map { many.bytes(at: $0) } == blocks.reversed().map(\.stored))
        let stored = try fixture.server.readBlock(ada.caller, namespace: ada.namespace, block: blocks[3].id)
        var part = [UInt8](repeating: 0, count: 100)
        try part.withUnsafeMutableBytes { try stored.read(into: $0, offset: 69_900) }
        #expect(part == Array(blocks[3].stored.suffix(100)))
        let report = try fixture.server.check()
        #expect(report.isSound && report.unknownObjects.isEmpty && report.blocks == 4)
    }

    @Test("keep only what was granted to the device that sends them, and say what was not")
    func onlyGranted() throws {
        let (mine, unknown, others, longer) = (ada.block(9_000), ada.block(9_000), ada.block(9_000), ada.block(9_000))
        let desktop = try fixture.logIn(device: "desktop")
        _ = try desktop.grant(others)
        _ = try ada.grant(mine)
        _ = try fixture.server.requestUploads(
            ada.caller, namespace: ada.namespace,
            UploadRequest(blocks: [OfferedBlock(id: longer.id, storedBytes: 8_999)]))
        let body = ada.frames([unknown, others, mine, longer])
        let answer = try fixture.server.storePack(ada.caller, namespace: ada.namespace, body)
        #expect(answer.stored == [false, false, true, false])
        #expect(try Shell.script("stat -c %s \(objects()[0])") == "9004")
        #expect(try desktop.grant(others).upload != nil && ada.grant(unknown).upload != nil)
        try commit([mine])
        #expect(try read(mine) == mine.stored)
        // Nothing of a pack without a granted block is kept.
        #expect(
            try fixture.server.storePack(ada.caller, namespace: ada.namespace, ada.frames([others])).stored == [false])
        #expect(try objects().count == 1)
        let bob = try fixture.newDevice("bob")
        #expect(problem { _ = try fixture.server.storePack(bob.caller, namespace: ada.namespace, body) } == .notFound)
    }

    @Test("that are sent again, or hold what came meanwhile, change nothing")
    func again() throws {
        let blocks = (0..<3).map { _ in ada.block(9_000) }
        #expect(try ada.pack(blocks) == [true, true, true])
        #expect(try ada.pack(blocks) == [true, true, true])
        let alone = ada.block(9_000)
        try ada.upload(alone)
        #expect(try ada.pack([alone, blocks[0]]) == [true, true])
        #expect(try objects().count == 2)
        try commit(blocks + [alone])
        // What is committed has no upload any more: asked for leave, the device learns that it is there.
        #expect(try ada.pack([alone]) == [false])
        for block in blocks + [alone] { #expect(try read(block) == block.stored) }
        #expect(try fixture.server.check().isSound)
    }

    @Test("that are none are refused")
    func malformed() throws {
        let block = ada.block(9_000)
        _ = try ada.grant(block)
        let good = ada.frames([block])
        let bad: [[UInt8]] = [
            [], [0], good + [0, 0, 0], good.dropLast(), good + good, good + [0, 0, 0, 0],
            [0xFF, 0xFF, 0xFF, 0xFF] + good,
            BlockFrame.header(length: (256 << 10) + 1) + [UInt8](repeating: 1, count: (256 << 10) + 1),
            (0..<257).flatMap { BlockFrame.header(length: 8) + Int64($0).bigEndianBytes },
        ]
        for body in bad {
            let kind = problem { _ = try fixture.server.storePack(ada.caller, namespace: ada.namespace, body) }
            #expect(kind == .badRequest, "\(body.count) bytes")
        }
        #expect(try ada.grant(block).upload != nil)
        #expect(problem { _ = try objects() } == nil)
    }

    @Test(
        "in which a block is damaged lose that one, which is taken again alone: the same blocks would be the same pack",
        arguments: [1, 3])
    func damaged(count: Int) throws {
        let blocks = (0..<count).map { _ in ada.block(9_000) }
        let damaged = blocks[count / 2]
        #expect(try ada.pack(blocks) == blocks.map { _ in true })
        try commit(blocks)
        let pack = try objects()[0]
        let name = pack.split(separator: "/").last ?? ""
        try Shell.script("printf other | dd of=\(pack) bs=1 seek=\(count / 2 * 9_004 + 3_000) conv=notrunc status=none")
        #expect(try fixture.server.check().problems == ["block \(damaged.id).1 in pack \(name) is damaged"])
        let repaired = try fixture.server.repair()
        #expect(
            repaired.problems.isEmpty && repaired.unreadableFiles.map { $0.hasSuffix(" in pack \(name)") } == [true])
        #expect(try objects() == [pack])
        for block in blocks where block.id != damaged.id { #expect(try read(block) == block.stored) }
        #expect(problem { _ = try read(damaged) } == .notFound)
        #expect(try ada.pack([damaged]) == [false])
        #expect(problem { _ = try read(damaged) } == .notFound)
        try ada.upload(damaged)
        #expect(try read(damaged) == damaged.stored)
        #expect(try fixture.server.check().isSound)
    }

    @Test("that are cut or gone lose what lay there, until they are put back", arguments: ["truncate -s 15000", "rm"])
    func cut(command: String) throws {
        let blocks = (0..<3).map { _ in ada.block(9_000) }
        #expect(try ada.pack(blocks) == [true, true, true])
        try commit(blocks)
        let pack = try objects()[0]
        try Shell.script("cp \(pack) \(data)/saved; \(command) \(pack)")
        let lost = try fixture.server.check().problems.count
        #expect(lost == (command == "rm" ? 3 : 2))
        #expect(try fixture.server.repair().unreadableFiles.count == lost)
        try Shell.script("mv \(data)/saved \(pack)")
        let repaired = try fixture.server.repair()
        #expect(repaired.isSound && repaired.repairs.filter { $0.hasSuffix("is back") }.count == lost)
        for block in blocks { #expect(try read(block) == block.stored) }
    }

    @Test("are part of a backup, and a restore counts what they lack", arguments: [false, true])
    func backup(isLost: Bool) throws {
        let blocks = (0..<3).map { _ in ada.block(9_000) }
        #expect(try ada.pack(blocks) == [true, true, true])
        try commit(blocks)
        let backup = fixture.directory.path + "/backup"
        #expect(try fixture.server.backup(to: backup, includeKey: true).objects == 1)
        if isLost { try Shell.script("rm \(backup)/blocks/objects/*/*.1") }
        let target = TestServer.configuration(fixture.directory.path + "/restored", entropy: SeededEntropy(seed: 5))
        #expect(try Server.restore(from: backup, target).missingBlocks == (isLost ? 3 : 0))
        if isLost { return }
        let server = try Server.open(target)
        for block in blocks { #expect(try read(block, from: server) == block.stored) }
    }
}
