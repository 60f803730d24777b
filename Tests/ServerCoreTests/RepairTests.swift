import DbxModel
import DbxServerCore
import DbxTestKit
import DbxWire
import Testing

/// Damages data at random and looks at what the check finds and the repair makes of it.
@Suite("A server's check and repair")
struct RepairTests {
    /// A server's data with nobody in it, and what a client of it knew.
    private struct Left {
        let place = TemporaryDirectory(inMemory: true)
        var token = ""
        var cursor: String?
        var replica = Replica()
        var blocks: [TestBlock] = []
        var data: String { place.path + "/data" }

        func open(seed: UInt64 = 99) throws -> TestServer {
            try TestServer(dataDirectory: data, time: FakeTime(), entropy: SeededEntropy(seed: seed))
        }

        func sql(_ text: String) throws { try Shell.script("sqlite3 '\(data)/metadata.db' \"\(text)\"") }

        func object(_ block: TestBlock) -> String {
            "\(data)/blocks/objects/\(block.id.hex.prefix(2))/\(block.id.hex).1"
        }
    }

    private static func make(seed: UInt64) throws -> Left {
        var left = Left()
        let device = try left.open(seed: seed).newDevice()
        let (outer, _) = try device.make(.directory, "outer")
        try device.make(.directory, "inner", in: outer)
        for number in 0..<4 { left.blocks.append(try device.makeFile("f\(number)").block) }
        let block = device.block(700)
        var brought = device.wrap(block, plainBytes: 1_000)
        brought.body = Base64(block.stored)
        var node = device.node(.file)
        node.content = device.content(size: 1_000, [device.segment(0, [(0, 1_000, block, 0)])])
        try device.commit([node], [device.entry(outer, "small", node.id)], blocks: [brought])
        try device.upload(device.block())
        let packed = (0..<3).map { _ in device.block(9_000) }
        _ = try device.pack(packed)
        for (number, block) in packed.enumerated() {
            var node = device.node(.file)
            node.content = device.content(size: 10, [device.segment(0, [(0, 10, block, 0)])])
            try device.commit(
                [node], [device.entry(outer, "packed\(number)", node.id)], blocks: [device.wrap(block, plainBytes: 10)])
        }
        let gone = try device.makeFile("gone")
        try device.commit([], [device.entry(device.root, "gone", nil, base: gone.seq)])
        left.replica = Replica(try device.pages())
        left.token = device.token
        return left
    }

    /// Some row of a table that is `such`.
    private static func any(_ column: String, of table: String, such: String = "1", _ entropy: SeededEntropy) -> String
    {
        "\(column) = (SELECT \(column) FROM \(table) WHERE \(such) ORDER BY \(column) LIMIT 1 OFFSET "
            + "(SELECT \(entropy.number(below: 1_000)) % count(*) FROM \(table) WHERE \(such)))"
    }

    enum Damage: CaseIterable {
        case usage, links, references, home, nameless, nodeGone, ring, blockState, blockGone, body, receipt
        case digest, commitGone, head, objectCut, objectChanged, objectGone, packCut, placeGone, placeOther, index, page
    }

    private static func inflict(_ damage: Damage, on left: Left, _ entropy: SeededEntropy) throws {
        let object = left.object(entropy.element(of: left.blocks))
        switch damage {
        case .usage: try left.sql("UPDATE namespaces SET used_bytes = used_bytes + 7")
        case .links:
            try left.sql("UPDATE nodes SET links = 9 WHERE \(any("id", of: "nodes", such: "deleted = 0", entropy))")
        case .references:
            try left.sql("DELETE FROM segment_blocks WHERE \(any("node_id", of: "segment_blocks", entropy))")
        case .home: try left.sql("DELETE FROM node_homes WHERE \(any("node_id", of: "node_homes", entropy))")
        case .nameless:
            try left.sql(
                "DELETE FROM entries WHERE \(any("node_id", of: "entries", such: "node_id IS NOT NULL", entropy))")
        case .nodeGone: try left.sql("DELETE FROM nodes WHERE \(any("id", of: "nodes", such: "links > 0", entropy))")
        case .ring:
            try left.sql(
                "UPDATE entries SET parent_id = (SELECT node_id FROM entries WHERE name = CAST('inner' AS BLOB)) "
                    + "WHERE name = CAST('outer' AS BLOB)")
        case .blockState:
            try left.sql(
                "UPDATE blocks SET state = 'granted' WHERE \(any("id", of: "blocks", such: "state = 'live'", entropy))"
            )
        case .blockGone: try left.sql("DELETE FROM blocks WHERE state = 'live'")
        case .body: try left.sql("UPDATE block_bodies SET body = zeroblob(700)")
        case .receipt: try left.sql("UPDATE blocks SET state = 'granted' WHERE state = 'stored'")
        case .digest: try left.sql("UPDATE commits SET digest = zeroblob(32) WHERE seq = 3")
        case .commitGone: try left.sql("DELETE FROM commits WHERE seq = \(1 + entropy.number(below: 8))")
        case .head: try left.sql("UPDATE namespaces SET head_seq = head_seq + 1")
        case .objectCut: try Shell.script("truncate -s \(entropy.number(below: 100)) \(object)")
        case .objectChanged:
            try Shell.script(
                "printf other | dd of=\(object) bs=1 seek=\(entropy.number(below: 80)) conv=notrunc status=none"
            )
        case .objectGone: try Shell.script("rm \(object)")
        case .packCut:
            try Shell.script(
                "find \(left.data)/blocks/objects -size +20k | xargs truncate -s \(entropy.number(below: 27_000))")
        case .placeGone:
            try left.sql("DELETE FROM packed_blocks WHERE \(any("block_id", of: "packed_blocks", entropy))")
        case .placeOther:
            try left.sql(
                "UPDATE packed_blocks SET position = position + 1 WHERE \(any("block_id", of: "packed_blocks", entropy))"
            )
        case .index:
            try left.sql(
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'seq)', 'links)') "
                    + "WHERE name = 'nodes_by_seq'")
        case .page:
            try Shell.script(
                "d='\(left.data)/metadata.db'; p=$((1 + \(entropy.number(below: 1_000)) % ($(stat -c %s $d) / 4096 - 1))); "
                    + "head -c 4096 /dev/urandom | dd of=$d bs=4096 seek=$p conv=notrunc status=none")
        }
    }

    @Test(
        "finds any damage, and what it mends is mended for clients too, with nothing missing", .timeLimit(.minutes(3)),
        arguments: Damage.allCases)
    func damage(damage: Damage) throws {
        for seed in testSeeds(2) {
            let entropy = SeededEntropy(seed: seed)
            let left = try Self.make(seed: seed)
            #expect(try left.open().server.check().isSound)
            try Self.inflict(damage, on: left, entropy)
            let comment: Comment = "seed \(seed)"
            let repaired: CheckReport
            do {
                let server = try left.open().server
                #expect(try !server.check().isSound, comment)
                repaired = try server.repair()
            } catch let error as ServerError where damage == .page {
                // Not even opened; the message names the remedy.
                #expect(error.code == .data && error.message.contains("backup"), "\(error.message)")
                continue
            }
            #expect(repaired.problems.isEmpty, "\(seed) \(repaired)")
            #expect(repaired.isSound || !repaired.beyondRepair.isEmpty || !repaired.unreadableFiles.isEmpty, comment)
            let again = try left.open().server.repair()
            #expect(again.repairs.isEmpty && again.isSound == repaired.isSound, "\(seed) \(again)")
            guard repaired.beyondRepair.isEmpty else { continue }
            // Who knew the tree before goes on or lists again, and nothing that was there is missing.
            let device = try TestDevice(left.open(), token: left.token)
            let fresh = try Replica(device.pages()).live
            #expect(Set(fresh.nodes.keys) == Set(left.replica.live.nodes.keys), comment)
            do {
                var replica = left.replica
                for page in try device.pages(from: replica.cursor) { replica.apply(page) }
                #expect(replica.live == fresh, comment)
            } catch let problem as Problem {
                #expect(problem.kind == .cursorGone, comment)
            }
        }
    }
}

extension RepairTests {
    @Test("a block that was lost is named with its file, taken again from who has it, and read again")
    func lostBlock() throws {
        for isInline in [false, true] {
            let fixture = try TestServer()
            let device = try fixture.newDevice()
            let block = device.block(500)
            var brought = device.wrap(block, plainBytes: 1_000)
            if isInline { brought.body = Base64(block.stored) } else { try device.upload(block) }
            func file(_ name: String) throws {
                var node = device.node(.file)
                node.content = device.content(size: 1_000, [device.segment(0, [(0, 1_000, block, 0)])])
                try device.commit([node], [device.entry(device.root, name, node.id)], blocks: [brought])
            }
            try file("report")
            let data = fixture.dataDirectory
            try Shell.script(
                isInline
                    ? "sqlite3 \(data)/metadata.db 'UPDATE block_bodies SET body = zeroblob(500)'"
                    : "truncate -s 99 \(data)/blocks/objects/*/\(block.id.hex).1")
            #expect(try fixture.server.check().problems.count == 1)
            let repaired = try fixture.server.repair()
            #expect(
                repaired.problems.isEmpty && repaired.unreadableFiles.map { $0.hasPrefix("ada:/report ") } == [true])
            #expect(throws: Problem.self) {
                _ = try fixture.server.readBlock(device.caller, namespace: device.namespace, block: block.id)
            }
            if !isInline { try device.upload(block) }
            try file("copy")
            let read = try fixture.server.readBlock(device.caller, namespace: device.namespace, block: block.id)
            #expect(read.bytes == 500)
            #expect(try fixture.server.check().isSound)
        }
    }

    @Test("an object that was put back is taken as it was")
    func putBack() throws {
        let fixture = try TestServer()
        let (_, _, block) = try fixture.newDevice().makeFile("report")
        try Shell.script(
            "mv \(fixture.dataDirectory)/blocks/objects/*/\(block.id.hex).1 \(fixture.dataDirectory)/saved")
        #expect(try !fixture.server.repair().isSound)
        try Shell.script(
            "cd \(fixture.dataDirectory); mv saved blocks/objects/\(block.id.hex.prefix(2))/\(block.id.hex).1"
        )
        let repaired = try fixture.server.repair()
        #expect(repaired.isSound && repaired.repairs.contains { $0.hasSuffix("is back") })
    }

    @Test("a damaged row refuses the commits that touch it, and no others", arguments: ["segments", "nodes"])
    func badRow(table: String) throws {
        let fixture = try TestServer()
        let device = try fixture.newDevice()
        let (damaged, seq, block) = try device.makeFile("damaged")
        _ = try device.makeFile("other")
        let change = table == "segments" ? "extents = x'02'" : "kind = 'pipe dream'"
        let column = table == "segments" ? "node_id" : "id"
        try Shell.script(
            "sqlite3 \(fixture.dataDirectory)/metadata.db \"UPDATE \(table) SET \(change) WHERE \(column) = x'\(damaged.hex)'\""
        )
        var node = device.node(.file, damaged)
        node.attributes = nil
        node.content = device.content(base: seq, size: 500, [device.segment(0, [(0, 500, block, 0)])])
        let refused = try device.refusal([node], [], blocks: [])
        #expect(refused?.kind == .damagedData && refused?.status == 422)
        _ = try device.makeFile("new")
        #expect(try !fixture.server.check().isSound)
    }
}
