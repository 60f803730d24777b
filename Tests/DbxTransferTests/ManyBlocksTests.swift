import CurlHTTP
import DbxClientAPI
import DbxContent
import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import DbxTransfer
import DbxWire
import Foundation
import Synchronization
import Testing

@Suite("Many small blocks in one request", .timeLimit(.minutes(1)))
struct ManyBlocksTests {
    private let entropy = SeededEntropy(seed: 11)

    /// A fixture with small files that the server has and the cache has not, and the block of each.
    private func fixture(files count: Int) throws -> (TransferFixture, [InodeNumber], [BlockNumber]) {
        let fixture = try TransferFixture()
        var files: [InodeNumber] = []
        for index in 0..<count {
            let file = try fixture.makeFile("f\(index)")
            try fixture.write(entropy.bytes(2_000 + index), to: file)
            _ = try fixture.upload(file)
            try fixture.dropCache(file)
            files.append(file)
        }
        fixture.server.resetCounts()
        return (fixture, files, try files.map { try #require(try fixture.blocks($0).first) })
    }

    /// What became of each, once all are settled. The server answers none before all are asked for.
    private func fetch(
        _ blocks: [BlockNumber], by fixture: TransferFixture
    ) -> [BlockNumber: FetchOutcome] {
        let outcomes = Monitor<[BlockNumber: FetchOutcome]>([:])
        fixture.server.holdingAnswers {
            for block in blocks {
                fixture.fetcher.fetch(block, priority: .demand) { result in
                    outcomes.update { $0[block] = FetchOutcome(result) }
                }
            }
        }
        return outcomes.wait(timeout: .seconds(30)) { $0.count == blocks.count ? $0 : nil } ?? [:]
    }

    @Test func `What gathers while requests are under way goes together, each block once`() throws {
        let (fixture, files, blocks) = try fixture(files: 150)
        let contents = fixture.server.blocks
        var faults = FakeServer.Faults()
        faults.delay = 1
        fixture.server.setFaults(faults)
        #expect(fetch(blocks, by: fixture).values.allSatisfy { $0 == .fetched })
        let counts = fixture.server.counts
        #expect(counts.gets.count == 150 && counts.gets.values.allSatisfy { $0 == 1 })
        #expect(counts.batches.allSatisfy { (2...64).contains($0.count) })
        // One for each thread and three for all the others.
        #expect(counts.batches.count <= 6)
        for (index, file) in files.enumerated() { #expect(try fixture.read(file).count == 2_000 + index) }
        #expect(contents.count == 150)
    }

    @Test func `Half an answer counts, and the rest is asked for again`() throws {
        let (fixture, _, blocks) = try fixture(files: 40)
        var faults = FakeServer.Faults()
        faults.batch = { number in number < 2 ? (1, FakeServer.lost()) : nil }
        fixture.server.setFaults(faults)
        #expect(fetch(blocks, by: fixture).values.allSatisfy { $0 == .fetched })
        #expect(fixture.server.counts.gets.values.allSatisfy { $0 == 1 })
    }

    @Test func `A damaged or missing block among many harms none of the others`() throws {
        let (fixture, files, blocks) = try fixture(files: 40)
        let ids = try blocks.map { number in
            try #require(try fixture.shared.withStore { store in try store.block(number) }).id
        }
        var faults = FakeServer.Faults()
        faults.damage = { [ids] id, count in id == ids[30] && count == 0 }
        faults.get = { [ids] id, _ in
            id == ids[35] ? APIError(.problem(Problem(kind: .notFound, detail: ""))) : nil
        }
        fixture.server.setFaults(faults)
        let outcomes = fetch(blocks, by: fixture)
        #expect(outcomes[blocks[35]] == .failed(.missing))
        #expect(outcomes.values.filter { $0 == .fetched }.count == 39)
        let gets = fixture.server.counts.gets
        #expect(gets[ids[30]] == 2)
        #expect(gets.allSatisfy { $0.value == 1 || [ids[30], ids[35]].contains($0.key) })
        #expect(try fixture.read(files[30]).count == 2_030)
    }

    @Test func `Refused as a whole, each is asked for alone`() throws {
        let (fixture, _, blocks) = try fixture(files: 30)
        var faults = FakeServer.Faults()
        faults.batch = { _ in (0, APIError(.problem(Problem(kind: .notFound, detail: "no such path")))) }
        fixture.server.setFaults(faults)
        #expect(fetch(blocks, by: fixture).values.allSatisfy { $0 == .fetched })
        #expect(fixture.server.counts.gets.values.allSatisfy { $0 == 1 })
    }

    @Test func `A busy server is asked again, as late as it says, and with them all together`() throws {
        let (fixture, _, blocks) = try fixture(files: 30)
        var faults = FakeServer.Faults()
        faults.batch = { number in
            number == 0
                ? (0, APIError(.problem(Problem(kind: .tooManyRequests, detail: "")), retryAfter: .seconds(1))) : nil
        }
        fixture.server.setFaults(faults)
        #expect(fetch(blocks, by: fixture).values.allSatisfy { $0 == .fetched })
        let counts = fixture.server.counts
        #expect(counts.gets.values.allSatisfy { $0 == 1 })
        #expect(counts.batches.count <= 6)
    }

    @Test func `One reader who leaves ends nothing for the others; the last one ends the request`() throws {
        let (fixture, _, blocks) = try fixture(files: 30)
        var faults = FakeServer.Faults()
        faults.delay = 100
        fixture.server.setFaults(faults)
        let results = Monitor<[FetchOutcome]>([])
        var tokens: [FetchToken] = []
        for block in blocks {
            tokens.append(
                fixture.fetcher.fetch(block, priority: .demand) { result in
                    results.update { $0.append(FetchOutcome(result)) }
                })
        }
        try Shell.eventually("a request for many is under way") { !fixture.server.counts.batches.isEmpty }
        for token in tokens[10...] { fixture.fetcher.cancel(token) }
        #expect(results.wait(timeout: .seconds(20)) { $0.filter { $0 == .fetched }.count == 10 ? true : nil } != nil)
        faults.delay = 20_000
        fixture.server.setFaults(faults)
        tokens = blocks[20...].map { fixture.fetcher.fetch($0, priority: .demand) { _ in } }
        for token in tokens { fixture.fetcher.cancel(token) }
        // Its threads are free again long before the server would have answered.
        faults.delay = 0
        fixture.server.setFaults(faults)
        #expect(fetch(blocks, by: fixture).values.allSatisfy { $0 == .fetched })
    }

    @Test func `The framed answer is understood in pieces of any size, and nothing else is`() throws {
        let bodies: [[UInt8]?] = [entropy.bytes(30), nil, entropy.bytes(1_000), entropy.bytes(24), nil]
        let lengths = [30, 77, 1_000, 24, 5_000]
        let answer = bodies.flatMap { BlockFrame.header(length: $0?.count ?? 0) + ($0 ?? []) }
        for size in [1, 2, 3, 5, 31, 500, answer.count] {
            var parser = BlockFrameParser(lengths: lengths)
            var got: [[UInt8]?] = []
            for start in stride(from: 0, to: answer.count, by: size) {
                #expect(!parser.isComplete)
                try parser.receive(Array(answer[start..<min(start + size, answer.count)])) { index, body in
                    #expect(index == got.count)
                    got.append(body)
                }
            }
            #expect(got == bodies && parser.isComplete)
            #expect(throws: BlockFrameParser.Failure.tooLong) { try parser.receive([0]) { _, _ in } }
        }
        var parser = BlockFrameParser(lengths: [30])
        #expect(throws: BlockFrameParser.Failure.wrongLength) {
            try parser.receive(BlockFrame.header(length: 31)) { _, _ in }
        }
        for _ in 0..<500 {
            var garbled = answer
            garbled[Int(entropy.next() % UInt64(garbled.count))] = UInt8(truncatingIfNeeded: entropy.next())
            var parser = BlockFrameParser(lengths: lengths)
            try? parser.receive(garbled) { index, body in #expect(body.map { $0.count == lengths[index] } ?? true) }
        }
    }

    @Test func `An answer that ends early, or is no list of blocks, keeps what came and is the server's fault`() throws
    {
        let block = entropy.bytes(100)
        let frames = BlockFrame.header(length: 100) + block
        let kind = "application/octet-stream"
        let scripts: [(received: Int, @Sendable (RawServer.Peer) -> Void)] = [
            (1, { $0.answer(type: kind, frames) }),
            (1, { $0.answer(type: kind, frames + [0, 0]) }),
            (1, { $0.answer(type: kind, frames + BlockFrame.header(length: 99) + block) }),
            (2, { $0.answer(type: kind, frames + frames + frames) }),
            (0, { $0.answer(type: "text/html", Array("<h1>Welcome to our hotel</h1>".utf8)) }),
            (0, { $0.answer(type: kind, []) }),
        ]
        let id = try #require(BlockID(bytes: entropy.bytes(32)))
        for (received, script) in scripts {
            let server = try RawServer { peer in
                while peer.readRequest() != nil { script(peer) }
            }
            defer { server.stop() }
            let endpoint = try #require(ServerEndpoint(url: server.url, trust: .system))
            let api = HTTPDbxAPI(endpoint: endpoint, token: "secret", time: SystemTime())
            var got = 0
            let wanted = [WantedBlock](repeating: WantedBlock(id: id, storedBytes: 100), count: 2)
            let error = #expect(throws: APIError.self) {
                try api.blocks(wanted, in: NamespaceID(high: 1, low: 2), cancel: nil) { _, bytes in
                    #expect(bytes == block)
                    got += 1
                }
            }
            #expect(error?.meaning == .away && got == received)
        }
    }
}
