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

@Suite("Uploading and fetching", .timeLimit(.minutes(1)))
struct TransferTests {
    private let entropy = SeededEntropy(seed: 7)

    @Test(arguments: [1, 4_096, 300_000, 9_000_000])
    func `What is uploaded is readable at once, and again when it has been fetched`(size: Int) throws {
        let fixture = try TransferFixture()
        let bytes = entropy.bytes(size)
        let file = try fixture.makeFile("a")
        try fixture.write(bytes, to: file)
        let upload = try fixture.upload(file)
        #expect(try fixture.content(file).allSatisfy { !$0.isStaging })
        #expect(try fixture.read(file) == bytes)
        #expect(fixture.server.counts.gets.isEmpty)
        var hash = ContentHash()
        hash.update(bytes.span)
        #expect(upload.contentHash == hash.finalize())

        try fixture.dropCache(file)
        for result in try fixture.fetchAll(file) { #expect(result == .fetched) }
        #expect(try fixture.read(file) == bytes)
        let blocks = try fixture.blocks(file)
        #expect(fixture.server.counts.gets.count == blocks.count)
        // Cached blocks are not asked for again.
        for result in try fixture.fetchAll(file) { #expect(result == .fetched) }
        #expect(fixture.server.counts.gets.values.allSatisfy { $0 == 1 })
    }

    @Test(arguments: [ProblemKind.notFound, .forbidden])
    func `Where the leave to send a block has ended another one is asked for`(kind: ProblemKind) throws {
        var faults = FakeServer.Faults()
        faults.put = { _, count in
            count == 0 ? APIError(.problem(Problem(kind: kind, detail: "This upload has ended."))) : nil
        }
        let fixture = try TransferFixture(faults)
        let file = try fixture.makeFile("a")
        try fixture.write(entropy.bytes(400_000), to: file, at: 0)
        _ = try fixture.upload(file)
        #expect(fixture.server.counts.offers.count > 1)
    }

    @Test func `Holes stay holes, across the borders of stretches`() throws {
        let fixture = try TransferFixture()
        let file = try fixture.makeFile("a")
        let border = ContentLimits.segmentBytes
        let parts: [(offset: Int64, bytes: [UInt8])] = [
            (0, entropy.bytes(10)), (border - 5, entropy.bytes(500_000)), (3 * border + 7, entropy.bytes(3)),
        ]
        for part in parts { try fixture.write(part.bytes, to: file, at: part.offset) }
        let upload = try fixture.upload(file)
        #expect(upload.segments.map(\.index) == [0, 1, 3])
        for segment in upload.segments {
            for extent in segment.extents {
                #expect(ContentLimits.segmentIndex(of: extent.offset) == segment.index)
                #expect(ContentLimits.segmentIndex(of: extent.end - 1) == segment.index)
            }
        }
        let bytes = try fixture.read(file)
        for part in parts { #expect(bytes[Int(part.offset)...].prefix(part.bytes.count).elementsEqual(part.bytes)) }
        #expect(fixture.server.blocks.values.reduce(0) { $0 + $1.count } < 600_000)
    }

    @Test func `A few bytes changed in a large file go up as small blocks, one for each that they change`() throws {
        let fixture = try TransferFixture()
        var bytes = entropy.bytes(9_000_000)
        let file = try fixture.makeFile("a")
        try fixture.write(bytes, to: file)
        _ = try fixture.upload(file)
        let sent = fixture.meter.totals.uploadedBytes
        for offset in [5, 4_000_000, 8_999_000] {
            let patch = entropy.bytes(900)
            bytes.replaceSubrange(offset..<offset + 900, with: patch)
            try fixture.write(patch, to: file, at: Int64(offset))
        }
        let upload = try fixture.upload(file)
        #expect(upload.blocks.count == 3)
        #expect(upload.contentHash == nil)
        #expect(fixture.meter.totals.uploadedBytes - sent < 4_096)
        #expect(try fixture.read(file) == bytes)
    }

    @Test func `A line put before a file costs the line, and comes back by way of the block that it was`() throws {
        let fixture = try TransferFixture()
        let old = entropy.bytes(5_000_000)
        let file = try fixture.makeFile("a")
        try fixture.write(old, to: file)
        _ = try fixture.upload(file)
        let full = try #require(try fixture.blocks(file).first)
        var new = old
        for line in ["first\n", "second\n", "third\n"] {
            new = Array(line.utf8) + new
            let sent = fixture.meter.totals.uploadedBytes
            try fixture.write(new, to: file)
            let upload = try fixture.upload(file)
            #expect(fixture.meter.totals.uploadedBytes - sent < 2_000)
            // Each hangs on the whole block, none on another.
            let bases = try upload.blocks.compactMap(\.wrap.base).map { try fixture.number($0) }
            #expect(bases == [full])
        }
        #expect(try fixture.read(file) == new)

        try fixture.dropCache(file)
        try fixture.shared.withStore { store in try store.dropCache(full) }
        for result in try fixture.fetchAll(file) { #expect(result == .fetched) }
        #expect(try fixture.read(file) == new)
        #expect(fixture.server.counts.gets.values.allSatisfy { $0 == 1 })
        // A base that the disk has damaged is fetched again.
        try fixture.dropCache(file)
        let place = try #require(fixture.shared.withStore { $0.cached(full) })
        try fixture.shared.segments.write(entropy.bytes(100), at: place.location.advanced(by: 5_000))
        for result in try fixture.fetchAll(file) { #expect(result == .fetched) }
        #expect(try fixture.read(file) == new)
    }

    @Test func `A file that has drifted far from what it was is sent whole again`() throws {
        let fixture = try TransferFixture()
        var bytes = entropy.bytes(200_000)
        let file = try fixture.makeFile("a")
        try fixture.write(bytes, to: file)
        _ = try fixture.upload(file)
        var hasBase: [Bool] = []
        for round in 0..<8 {
            bytes.replaceSubrange(round * 20_000..<(round + 1) * 20_000, with: entropy.bytes(20_000))
            try fixture.write(bytes, to: file)
            hasBase.append(try fixture.upload(file).blocks.contains { $0.wrap.base != nil })
        }
        #expect(hasBase.first == true && hasBase.contains(false))
        #expect(try fixture.read(file) == bytes)
    }

    @Test func `Files of one content that go up at once send it once`() async throws {
        var faults = FakeServer.Faults()
        faults.delay = 20
        let fixture = try TransferFixture(faults)
        let bytes = entropy.bytes(50_000)
        let snapshots = try (0..<8).map { index in
            let file = try fixture.makeFile("f\(index)")
            try fixture.write(bytes, to: file)
            return try #require(try fixture.shared.withStore { store in try store.beginUpload(file) })
        }
        let failures = Mutex(0)
        let uploader = fixture.uploader
        DispatchQueue.concurrentPerform(iterations: snapshots.count) { index in
            do {
                _ = try uploader.upload(snapshots[index], cancel: CancelToken())
            } catch {
                failures.withLock { $0 += 1 }
            }
        }
        #expect(failures.withLock { $0 } == 0)
        #expect(Array(fixture.server.counts.puts.values) == [1])
    }

    @Test func `Small blocks go up together, and what the server does not take so goes alone`() throws {
        var faults = FakeServer.Faults()
        faults.deniesPacked = { $0.bytes[0].isMultiple(of: 2) }
        faults.delay = 20
        let fixture = try TransferFixture(faults)
        var expected: [InodeNumber: [UInt8]] = [:]
        for index in 0..<40 {
            let file = try fixture.makeFile("f\(index)")
            expected[file] = entropy.bytes(index == 0 ? 600_000 : 20_000 + index)
            try fixture.write(expected[file]!, to: file)
        }
        let snapshots = try expected.keys.map { file in
            try #require(try fixture.shared.withStore { store in try store.beginUpload(file) })
        }
        let threads = try ThreadPool(name: "test", threads: 16)
        let (uploader, sent) = (fixture.uploader, Monitor(0))
        for snapshot in snapshots {
            _ = threads.submit(.background) {
                if (try? uploader.upload(snapshot, cancel: CancelToken())) != nil { sent.update { $0 += 1 } }
            }
        }
        _ = sent.wait(timeout: .seconds(60)) { $0 == 40 ? true : nil }
        threads.shutdown()
        let counts = fixture.server.counts
        #expect(sent.withLock { $0 } == 40)
        #expect(counts.packs.contains { $0 > 1 } && counts.packs.count < 40)
        #expect(counts.puts.values.allSatisfy { $0 == 1 })
        #expect(counts.puts.keys.contains { $0.bytes[0].isMultiple(of: 2) })
        #expect(Set(fixture.server.blocks.values.map(\.count)).count == 40)
    }

    @Test func `What is refused in a pack goes alone`() throws {
        var faults = FakeServer.Faults()
        faults.pack = { APIError(.problem(Problem(kind: .notFound, detail: "no such route"))) }
        let fixture = try TransferFixture(faults)
        let file = try fixture.makeFile("a")
        let bytes = entropy.bytes(20_000)
        try fixture.write(bytes, to: file)
        _ = try fixture.upload(file)
        #expect(fixture.server.counts.puts.values.map(\.self) == [1])
        #expect(try fixture.read(file) == bytes)
    }

    @Test func `Lost answers are repeated until they come, refusals are not`() throws {
        var faults = FakeServer.Faults()
        faults.grant = { $0 == 0 ? FakeServer.lost() : nil }
        faults.put = { _, count in count == 0 ? FakeServer.lost() : nil }
        let fixture = try TransferFixture(faults)
        let file = try fixture.makeFile("a")
        let bytes = entropy.bytes(100_000)
        try fixture.write(bytes, to: file)
        _ = try fixture.upload(file)
        #expect(try fixture.read(file) == bytes)

        faults.grant = { _ in APIError(.problem(Problem(kind: .quotaExceeded, detail: "full"))) }
        fixture.server.setFaults(faults)
        fixture.server.resetCounts()
        let other = try fixture.makeFile("b")
        try fixture.write(entropy.bytes(20_000), to: other)
        let failure = #expect(throws: UploadFailure.self) { _ = try fixture.upload(other) }
        guard case .api(let error) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(error.problem?.kind == .quotaExceeded)
        #expect(fixture.server.counts.offers.count == 1)
        #expect(try fixture.content(other).contains { $0.isStaging })
    }

    @Test func `Where the quota has room for some of what is offered at once, small ones go`() throws {
        let limit: Int64 = 200_000
        var faults = FakeServer.Faults()
        // What is offered meanwhile goes out together.
        faults.grant = { count in
            if count == 0 { usleep(200_000) }
            return nil
        }
        faults.quota = limit
        let fixture = try TransferFixture(faults)
        let sizes = (0..<8).map { 20_000 + 10_000 * Int64($0) }
        let files = try sizes.map { size in
            let file = try fixture.makeFile("\(size)")
            try fixture.write(entropy.bytes(Int(size)), to: file)
            return file
        }
        let snapshots = try files.map { file in
            try #require(try fixture.shared.withStore { store in try store.beginUpload(file) })
        }
        let refused = Monitor<[Int64]>([])
        let threads = try files.indices.map { index in
            try WorkerThread(name: "upload-\(index)") { [uploader = fixture.uploader] in
                do {
                    _ = try uploader.upload(snapshots[index], cancel: CancelToken())
                } catch {
                    refused.update { $0.append(sizes[index]) }
                }
            }
        }
        for thread in threads { thread.join() }
        let smallest = try #require(refused.withLock { $0.min() })
        let granted = fixture.server.blocks.values.reduce(0) { $0 + Int64($1.count) }
        #expect(granted <= limit && granted + smallest > limit)
    }

    @Test func `A block that the server denies to have is sent again`() throws {
        let fixture = try TransferFixture()
        let bytes = entropy.bytes(20_000)
        let first = try fixture.makeFile("a")
        try fixture.write(bytes, to: first)
        let upload = try fixture.upload(first)
        let second = try fixture.makeFile("b")
        try fixture.write(bytes, to: second)
        _ = try fixture.upload(second)
        #expect(Array(fixture.server.counts.puts.values) == [1])
        fixture.uploader.doubt(upload.blocks.map(\.id))
        let third = try fixture.makeFile("c")
        try fixture.write(bytes, to: third)
        _ = try fixture.upload(third)
        #expect(fixture.server.counts.offers.count == 2)
    }

    @Test func `A small block goes with its commit, and with none once the server has it`() throws {
        let fixture = try TransferFixture()
        let bytes = entropy.bytes(4_096)
        let files = try ["a", "b", "c"].map { name in
            let file = try fixture.makeFile(name)
            try fixture.write(bytes, to: file)
            return file
        }
        let snapshot = try #require(try fixture.shared.withStore { store in try store.beginUpload(files[0]) })
        let given = try fixture.uploader.upload(snapshot, cancel: CancelToken())
        fixture.shared.withStore { $0.endUpload(snapshot) }
        #expect(given.blocks.map { $0.body?.bytes.count == Int($0.wrap.storedBytes) } == [true])
        // Until that commit is answered nobody may count on it.
        let again = try fixture.upload(files[1])
        #expect(again.blocks.map(\.body) == given.blocks.map(\.body))
        let copy = try fixture.upload(files[2])
        #expect(copy.blocks.map(\.id) == given.blocks.map(\.id) && copy.blocks.allSatisfy { $0.body == nil })
        #expect(fixture.server.counts.puts.isEmpty && fixture.server.counts.offers.isEmpty)
        #expect(try fixture.read(files[2]) == bytes)
    }

    @Test func `However large the file, few blocks are in memory`() throws {
        var faults = FakeServer.Faults()
        faults.delay = 5
        let fixture = try TransferFixture(faults, cacheLimitBytes: 8 << 20)
        let file = try fixture.makeFile("a")
        try fixture.write(entropy.bytes(48 << 20), to: file)
        _ = try fixture.upload(file)
        let counts = fixture.server.counts
        #expect(counts.puts.count > 12)
        #expect((2...8).contains(counts.mostRunning))
    }

    @Test func `A server that is far away is sent many blocks of a file at once`() throws {
        var faults = FakeServer.Faults()
        faults.delay = 400
        let fixture = try TransferFixture(faults)
        let file = try fixture.makeFile("a")
        let bytes = entropy.bytes(24 << 20)
        try fixture.write(bytes, to: file)
        _ = try fixture.upload(file)
        let counts = fixture.server.counts
        #expect(counts.mostRunning >= min(10, counts.puts.count * 2 / 3))
        #expect(try fixture.read(file) == bytes)
    }

    @Test func `A damaged block is asked for again and never entered`() throws {
        var faults = FakeServer.Faults()
        faults.damage = { _, count in count < 2 }
        let fixture = try TransferFixture(faults)
        let file = try fixture.makeFile("a")
        let bytes = entropy.bytes(700_000)
        try fixture.write(bytes, to: file)
        _ = try fixture.upload(file)
        try fixture.dropCache(file)
        for result in try fixture.fetchAll(file) { #expect(result == .fetched) }
        #expect(fixture.server.counts.gets.values.allSatisfy { $0 == 3 })
        #expect(try fixture.read(file) == bytes)

        try fixture.dropCache(file)
        faults.damage = { _, _ in true }
        fixture.server.setFaults(faults)
        let block = try #require(try fixture.blocks(file).first)
        #expect(fixture.fetch(block, timeout: .seconds(2)) == nil)
        #expect(fixture.shared.withStore { $0.cached(block) } == nil)
    }

    @Test func `Fetches of one block are one request, and end early when cancelled or the server is away`() throws {
        var faults = FakeServer.Faults()
        faults.delay = 300
        let fixture = try TransferFixture(faults)
        let file = try fixture.makeFile("a")
        try fixture.write(entropy.bytes(1_000), to: file)
        _ = try fixture.upload(file)
        try fixture.dropCache(file)
        let block = try #require(try fixture.blocks(file).first)

        let results = Monitor<[FetchOutcome]>([])
        let note: @Sendable (Result<Void, FetchFailure>) -> Void = { result in
            results.update { $0.append(FetchOutcome(result)) }
        }
        for _ in 0..<5 { fixture.fetcher.fetch(block, priority: .readahead, completion: note) }
        let token = fixture.fetcher.fetch(block, priority: .demand, completion: note)
        fixture.fetcher.cancel(token)
        #expect(results.withLock { $0 } == [.failed(.cancelled)])
        #expect(results.wait(timeout: .seconds(5)) { $0.count == 6 ? $0.filter { $0 == .fetched }.count : nil } == 5)
        #expect(fixture.server.counts.gets == fixture.server.counts.gets.mapValues { _ in 1 })

        try fixture.dropCache(file)
        results.update { $0 = [] }
        fixture.fetcher.fetch(block, priority: .demand, completion: note)
        usleep(50_000)
        fixture.isAway.isOn = true
        fixture.fetcher.serverWentAway()
        #expect(results.withLock { $0.first } == .failed(.serverAway))
        #expect(fixture.fetch(block) == .failed(.serverAway))
        fixture.isAway.isOn = false
        #expect(fixture.fetch(block) == .fetched)
    }

    @Test func `Blocks that cannot be had say why`() throws {
        let fixture = try TransferFixture()
        let file = try fixture.makeFile("a")
        try fixture.write(entropy.bytes(1_000), to: file)
        _ = try fixture.upload(file)
        try fixture.dropCache(file)
        let block = try #require(try fixture.blocks(file).first)
        for (kind, expected) in [
            (ProblemKind.notFound, FetchFailure.missing), (.forbidden, .refused("Not allowed")),
            (.unauthenticated, .refused("Not logged in")),
        ] {
            var faults = FakeServer.Faults()
            faults.get = { _, _ in APIError(.problem(Problem(kind: kind, detail: ""))) }
            fixture.server.setFaults(faults)
            #expect(fixture.fetch(block) == .failed(expected))
        }
        #expect(fixture.fetch(BlockNumber(rawValue: 99_999)) == .failed(.local(.notFound)))
        var faults = FakeServer.Faults()
        faults.get = { _, count in count < 6 ? FakeServer.lost() : nil }
        fixture.server.setFaults(faults)
        #expect(fixture.fetch(block) == .fetched)
    }
}
