import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import Testing

/// A store in a directory of its own that can be reopened as after a kill: nothing is closed in an orderly way.
final class StoreFixture {
    private let directory = TemporaryDirectory()
    private var opened: LocalStore?
    var store: LocalStore { opened! }
    var path: String { configuration.directory }

    /// `directory`: on a disk of the test's own.
    init(
        in directory: String? = nil,
        cacheLimitBytes: Int64 = 1 << 30, stagingLimitBytes: Int64 = 1 << 30, freeSpaceFloorBytes: Int64 = 0
    ) throws {
        configuration = StoreConfiguration(
            directory: (directory ?? self.directory.path) + "/store", cacheLimitBytes: cacheLimitBytes,
            stagingLimitBytes: stagingLimitBytes, freeSpaceFloorBytes: freeSpaceFloorBytes)
        try reopen()
        try store.makeRoot(NodeID(high: 0, low: 1), now: now)
    }

    let configuration: StoreConfiguration
    private var ticks: Int64 = 0
    var now: Timestamp {
        ticks += 1
        return Timestamp(nanoseconds: ticks)
    }

    func close() { opened = nil }

    func reopen() throws {
        opened = nil
        opened = try LocalStore(configuration, time: SystemTime(), entropy: SystemEntropy(), boot: [boot])
    }

    /// The machine goes down and comes up again; what was not synced may be there all the same.
    func restartMachine() throws {
        boot += 1
        try reopen()
    }

    private var boot: UInt8 = 1

    func file(_ name: String) throws -> InodeNumber {
        try store.create(NewNode(kind: .file, mode: 0o644), in: .root, Name(name)!, now: now).number
    }

    func write(_ bytes: [UInt8], to file: InodeNumber, at offset: Int64) throws {
        let range = try store.reserveStaging(file, offset: offset, length: Int64(bytes.count))
        try store.segments.write(bytes, at: range.location)
        try #require(try store.recordWrite(file, offset: offset, length: Int64(bytes.count), range: range, now: now))
    }

    func read(_ file: InodeNumber) throws -> [UInt8] {
        let size = try store.node(file)?.size ?? 0
        var bytes = [UInt8](repeating: 0, count: Int(size))
        for extent in try store.content(file, 0..<max(size, 1)) {
            guard case .staging(let location, _) = extent.source else { continue }
            let part = try store.segments.read(count: Int(extent.length), at: location)
            bytes.replaceSubrange(Int(extent.offset)..<Int(extent.end), with: part)
        }
        return bytes
    }

    func epoch() throws {
        let ticket = try store.beginEpoch()
        try ticket.sync(store.segments)
        store.finishEpoch(ticket)
    }
}

@Suite("Content of files in the local store")
struct ContentTests {
    @Test("is pending until it is sent, also when the clock was set back since it was written")
    func clockSetBack() throws {
        let fixture = try StoreFixture()
        let future = Timestamp(seconds: 4_000_000_000, nanoseconds: 0)
        let file = try fixture.store.create(
            NewNode(kind: .file, mode: 0o644), in: .root, Name("f")!, now: future)
        try fixture.store.truncate(file.number, to: 10, now: future)
        let entry = try #require(try fixture.store.entry(parent: NodeID(high: 0, low: 1), name: Name("f")!))
        let change = fixture.store.changeCounter
        // Its name is on the server already and hides nothing.
        try fixture.store.settle(
            Name("f")!, in: NodeID(high: 0, low: 1), sent: file.id, change: entry.change, at: Seq(1))
        #expect(try fixture.store.hasPending(changedBefore: Timestamp(seconds: 1_000, nanoseconds: 0), change: change))
    }

    @Test(
        "is what was written, through any sequence of writes, cuts, holes, clones, epochs and restarts",
        .timeLimit(.minutes(2)), arguments: testSeeds(12))
    func model(seed: UInt64) throws {
        let entropy = SeededEntropy(seed: seed)
        let fixture = try StoreFixture()
        let files = try [fixture.file("a"), fixture.file("b")]
        var model: [[UInt8]] = [[], []]
        for step in 0..<250 {
            let index = entropy.number(below: 2)
            let offset = entropy.number(below: 30_000)
            let length = 1 + entropy.number(below: entropy.chance(20) ? 20_000 : 300)
            switch entropy.number(below: 10) {
            case 0...4:
                let place = entropy.chance(40) ? model[index].count : offset
                let bytes = entropy.bytes(length)
                try fixture.write(bytes, to: files[index], at: Int64(place))
                Self.put(bytes, at: place, into: &model[index])
            case 5:
                try fixture.store.truncate(files[index], to: Int64(offset), now: fixture.now)
                model[index] = Array(model[index].prefix(offset))
                Self.put([], at: offset, into: &model[index])
            case 6:
                try fixture.store.punchHole(files[index], Int64(offset)..<Int64(offset + length), now: fixture.now)
                for place in offset..<min(offset + length, max(offset, model[index].count)) { model[index][place] = 0 }
            case 7: try Self.clone(fixture, files, &model, from: index, entropy)
            case 8: try fixture.epoch()
            default: if entropy.chance(30) { try fixture.reopen() }
            }
            for (file, expected) in zip(files, model) {
                try #require(try fixture.read(file) == expected, "seed \(seed), step \(step)")
            }
        }
    }

    private static func put(_ bytes: [UInt8], at offset: Int, into model: inout [UInt8]) {
        let end = offset + bytes.count
        if model.count < end { model += [UInt8](repeating: 0, count: end - model.count) }
        model.replaceSubrange(offset..<end, with: bytes)
    }

    private static func clone(
        _ fixture: StoreFixture, _ files: [InodeNumber], _ model: inout [[UInt8]], from index: Int,
        _ entropy: SeededEntropy
    ) throws {
        let length = entropy.number(below: 5_000)
        guard model[index].count > length, length > 0 else { return }
        let start = entropy.number(below: model[index].count - length)
        let target = entropy.number(below: 30_000)
        let part = Array(model[index][start..<start + length])
        try fixture.store.clone(
            from: files[index], Int64(start)..<Int64(start + length), to: files[1 - index], at: Int64(target),
            now: fixture.now)
        put(part, at: target, into: &model[1 - index])
    }

    @Test("sequential writes join into one extent")
    func sequential() throws {
        let fixture = try StoreFixture()
        let file = try fixture.file("log")
        for step in 0..<64 {
            try fixture.write([UInt8](repeating: UInt8(step), count: 4_096), to: file, at: Int64(step) * 4_096)
        }
        #expect(try fixture.store.content(file, 0..<262_144).count <= 4)
    }

    @Test("bytes that an upload has seen are never written again")
    func copyOnWrite() throws {
        let fixture = try StoreFixture()
        let file = try fixture.file("f")
        try fixture.write(Array("before".utf8), to: file, at: 0)
        let snapshot = try #require(try fixture.store.beginUpload(file))
        try fixture.write(Array("after!".utf8), to: file, at: 0)
        try fixture.epoch()
        try fixture.write(Array("more".utf8), to: file, at: 6)
        guard case .staging(let location, _) = snapshot.extents[0].source else { return #expect(Bool(false)) }
        #expect(try fixture.store.segments.read(count: 6, at: location) == Array("before".utf8))
        fixture.store.endUpload(snapshot)
        #expect(try fixture.read(file) == Array("after!more".utf8))
    }

    @Test("the staging limit is an error before anything is written")
    func stagingLimit() throws {
        let fixture = try StoreFixture(stagingLimitBytes: 1 << 20)
        let file = try fixture.file("f")
        try fixture.write([UInt8](repeating: 1, count: 1 << 20), to: file, at: 0)
        #expect(throws: StoreError.noSpace) { try fixture.write([1], to: file, at: 1 << 20) }
        #expect(try fixture.store.node(file)?.size == 1 << 20)
    }
}

/// Sizes at which nothing may cost what the size is.
@Suite("A huge sparse file", .timeLimit(.minutes(1)))
struct HugeFileTests {
    private static let tebibyte: Int64 = 1 << 40

    @Test("is cloned with all that it holds, and read, cut and cleared as quickly as a small one")
    func huge() throws {
        let fixture = try StoreFixture()
        let file = try fixture.file("f")
        let places = [5, 3 << 30, Self.tebibyte, ContentLimits.maximumFileBytes - 10]
        for place in places { try fixture.write(Array("here".utf8), to: file, at: place) }
        let copy = try fixture.file("copy")
        let whole = 0..<ContentLimits.maximumFileBytes
        try fixture.store.clone(from: file, whole, to: copy, at: 0, now: fixture.now)
        for number in [file, copy] {
            let extents = try fixture.store.content(number, whole)
            #expect(extents.map(\.offset) == places)
            for extent in extents {
                guard case .staging(let location, _) = extent.source else { continue }
                #expect(try fixture.store.segments.read(count: 4, at: location) == Array("here".utf8))
            }
        }
        let snapshot = try #require(try fixture.store.beginUpload(copy))
        #expect(snapshot.dirtyStretches.count == 4)
        fixture.store.endUpload(snapshot)
        try fixture.store.punchHole(copy, 100..<Self.tebibyte + 100, now: fixture.now)
        #expect(try fixture.store.content(copy, whole).map(\.offset) == [places[0], places[3]])
        try fixture.store.truncate(copy, to: 3, now: fixture.now)
        #expect(try fixture.store.content(copy, whole).isEmpty)
        #expect(try fixture.store.content(file, whole).count == 4)
    }
}

@Suite("The cache and the tree of the local store")
struct StoreTests {
    @Test("eviction keeps the cache under its limit and never touches unsent data")
    func eviction() throws {
        let fixture = try StoreFixture(cacheLimitBytes: 1 << 20)
        let file = try fixture.file("f")
        try fixture.write(Array("unsent".utf8), to: file, at: 0)
        for index in 0..<40 {
            let id = try #require(BlockID(bytes: [UInt8](repeating: UInt8(index), count: 32)))
            try fixture.store.putBlocks([
                AgreedBlock(id: id, wrap: [1], key: KeyID(high: 1, low: 1), plainBytes: 100_000, storedBytes: 100_000)
            ])
            let number = try #require(try fixture.store.blockNumber(id))
            let location = try fixture.store.reserveCache(bytes: 100_000)
            try fixture.store.segments.write([UInt8](repeating: UInt8(index), count: 100_000), at: location)
            try fixture.store.commitCache(number, at: location, bytes: 100_000, checksums: [])
            #expect(fixture.store.cachedBytes <= 1 << 20)
        }
        #expect(fixture.store.statistics.evictedBlocks >= 29)
        #expect(try fixture.read(file) == Array("unsent".utf8))
    }

    @Test("a store that another process has open is refused with what to do")
    func locked() throws {
        let fixture = try StoreFixture()
        #expect(throws: StoreError.inUse(path: fixture.path)) { _ = try LocalStore(fixture.configuration) }
    }

    @Test("once a store is closed another process opens it, and what is late changes nothing")
    func closed() throws {
        let fixture = try StoreFixture()
        _ = try fixture.file("kept")
        fixture.store.close()
        let next = try LocalStore(fixture.configuration, time: SystemTime(), entropy: SystemEntropy(), boot: [1])
        #expect(throws: StoreError.inUse(path: fixture.path)) { _ = try fixture.file("late") }
        #expect(try next.list(.root, after: 0, limit: 10).map(\.name) == [Name("kept")!])
    }

    @Test("a listing that is continued after its cookie misses and repeats nothing while names come and go")
    func cookies() throws {
        let fixture = try StoreFixture()
        for index in 0..<100 { _ = try fixture.file("f\(index)") }
        var seen: [Name] = []
        var cookie: Int64 = 0
        while true {
            let page = try fixture.store.list(.root, after: cookie, limit: 7)
            guard let last = page.last else { break }
            seen += page.map(\.name)
            cookie = last.cookie
            if seen.count < 100 {
                _ = try fixture.file("new\(seen.count)")
                try fixture.store.unlink(.root, page[0].name, now: fixture.now)
            }
        }
        #expect(Set(seen).count == seen.count)
        #expect(Set(seen).isSuperset(of: (0..<100).map { Name("f\($0)")! }))
    }

    @Test("what operations returned is there after a restart, orphans are gone")
    func restart() throws {
        let fixture = try StoreFixture()
        let kept = try fixture.file("kept")
        let gone = try fixture.file("gone")
        try fixture.store.unlink(.root, Name("gone")!, now: fixture.now)
        _ = try fixture.store.setAttributes(kept, AttributeUpdate(mode: 0o600), now: fixture.now)
        try fixture.reopen()
        #expect(try fixture.store.lookup(.root, Name("kept")!)?.attributes.mode == 0o600)
        #expect(try fixture.store.node(gone) == nil)
    }
}

extension LocalStore {
    /// The server has taken the content.
    func settle(_ snapshot: UploadSnapshot, as stretches: [(index: Int64, extents: [Extent])]) throws {
        let content = SentNode.Content(change: snapshot.contentChange, snapshot: snapshot, stretches: stretches)
        try settle(
            SentNode(id: snapshot.id, change: 0, attributes: nil, content: content), at: snapshot.contentBase.next)
    }
}
