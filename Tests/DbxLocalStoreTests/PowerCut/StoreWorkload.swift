import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit

/// Random work on a store that lies on a `LossyDisk`, with epochs as `EpochKeeper` runs them, and what the store has to
/// know again after a kill or a power cut at any moment of it. One seed makes one run.
final class StoreWorkload {
    /// What the store says is not what it has to say.
    struct Wrong: Error, CustomStringConvertible {
        var description: String
    }

    /// The store's state once an operation had returned, and how far the disk's trace was then.
    struct Moment {
        var position: Int
        var state: StoreState
    }

    /// The state that an epoch makes durable, and between which places of the trace it does.
    struct Epoch {
        var begin: Int
        var end: Int?
        var state: StoreState
    }

    let disk: LossyDisk
    let configuration: StoreConfiguration
    private(set) var moments: [Moment] = []
    private(set) var epochs: [Epoch] = []

    /// A planted fault: freed pages are handed out before their epoch is on the disk.
    private let reusesEarly: Bool
    /// Nearly all room of each segment is taken, so that what is freed is soon used again.
    private let isTight: Bool
    private var filledSegments = 0
    private let entropy: SeededEntropy
    private let boot: UInt8
    private var opened: LocalStore?
    private var store: LocalStore { opened! }
    private var ticks: Int64
    private var nextBlock = 0

    /// The store's directory on a disk that is seen at `path`.
    static func directory(on path: String) -> String { path + "/profile/store" }

    static func configuration(on path: String) -> StoreConfiguration {
        StoreConfiguration(
            directory: directory(on: path), cacheLimitBytes: 128 << 10, stagingLimitBytes: 1 << 30,
            freeSpaceFloorBytes: 0)
    }

    /// On an empty disk, or on one where a store was left.
    init(
        disk: LossyDisk, boot: UInt8, seed: UInt64, left: StoreState? = nil, reusesEarly: Bool = false
    ) throws {
        self.disk = disk
        self.reusesEarly = reusesEarly
        self.boot = boot
        entropy = SeededEntropy(seed: seed)
        isTight = reusesEarly || entropy.chance(60)
        configuration = Self.configuration(on: disk.path)
        ticks = Int64(boot) * 1_000_000
        if let left { epochs.append(Epoch(begin: 0, end: 0, state: left)) }
        opened = try Self.open(configuration, boot: boot, entropy)
        // Until then there was what the disk had, or nothing.
        moments.append(Moment(position: 0, state: try left ?? StoreState(store)))
        if left == nil { try store.makeRoot(NodeID(high: 0, low: 1), now: now) }
        try note()
    }

    static func open(_ configuration: StoreConfiguration, boot: UInt8, _ entropy: any Entropy) throws -> LocalStore {
        try LocalStore(configuration, time: FakeTime(), entropy: entropy, boot: [boot])
    }

    private var now: Timestamp {
        ticks += 1
        return Timestamp(nanoseconds: ticks)
    }

    private func note() throws { moments.append(Moment(position: disk.position, state: try StoreState(store))) }

    /// An operation has returned.
    private func done<Result>(_ result: Result) throws -> Result {
        try note()
        return result
    }

    // MARK: Work

    func run(steps: Int) throws {
        for _ in 0..<steps {
            if isTight { try fill() }
            try done(step())
        }
    }

    /// Work on a disk that fails again and again for a while, in the middle of anything. After each failure the store is
    /// opened anew: it must be as it said that it was, and sound. Returns how often something failed.
    func run(steps: Int, failing fault: LossyDisk.Fault) throws -> Int {
        var failures = 0
        for _ in 0..<steps {
            if entropy.chance(30) { try disk.fail(fault, afterBytes: entropy.number(below: 50_000)) }
            do {
                try step()
            } catch {
                guard error is StoreError || error is Errno else { throw error }
                failures += 1
                try disk.fail(.none)
                try reopenAfterFailure()
            }
        }
        try disk.fail(.none)
        return failures
    }

    private func reopenAfterFailure() throws {
        // A store that could not undo something says so and answers nothing more.
        let said = opened.flatMap { try? StoreState($0) }
        opened = nil
        opened = try Self.open(configuration, boot: boot, entropy)
        filledSegments = 0
        let state = try done(StoreState(store))
        if let said, said != state { throw Wrong(description: state.differences(from: said)) }
        let problems = try store.check(repairs: false).filter { $0.kind != .cache }
        if !problems.isEmpty { throw Wrong(description: "\(problems)") }
    }

    private func fill() throws {
        let segments = try Paths.names(in: configuration.directory + "/segments").filter { $0.hasSuffix(".seg") }
        while filledSegments < segments.count {
            filledSegments += 1
            _ = try store.reserveStaging(
                InodeNumber(rawValue: 1 << 40), offset: 0, length: SegmentFiles.segmentBytes - (128 << 10))
        }
    }

    private func step() throws {
        switch entropy.number(below: 25) {
        case 0...8: try write()
        case 9: try cut()
        case 10...11: try rename()
        case 12: try remove()
        case 13: try change()
        case 14: try share()
        case 15: try upload()
        case 16: try cache()
        case 17: try store.setMeta(StoreState.noteKey, entropy.bytes(entropy.number(below: 9_000)))
        case 18...20: try epoch()
        case 21: try failedEpoch()
        case 22: try fold()
        case 23: try giveRoomBack()
        default: try restart()
        }
    }

    private func name() -> Name { Name("f\(entropy.number(below: 8))")! }

    private func directory() throws -> InodeNumber {
        let name = Name("d")!
        guard entropy.chance(40) else { return .root }
        if let known = try store.lookup(.root, name) { return known.number }
        return try done(store.create(NewNode(kind: .directory, mode: 0o755), in: .root, name, now: now)).number
    }

    private func file() throws -> LocalNode {
        let (parent, name) = (try directory(), name())
        if let known = try store.lookup(parent, name) { return known }
        return try done(store.create(NewNode(kind: .file, mode: 0o644), in: parent, name, now: now))
    }

    private func write() throws {
        let file = try file()
        let offset = entropy.chance(50) ? file.size : Int64(entropy.number(below: Int(file.size) + 1))
        let bytes = entropy.bytes(1 + entropy.number(below: entropy.chance(30) ? 12_000 : 900))
        let range = try store.reserveStaging(file.number, offset: offset, length: Int64(bytes.count))
        do {
            try done(store.segments.write(bytes, at: range.location))
        } catch {
            store.abandon(range)
            throw error
        }
        guard
            try store.recordWrite(file.number, offset: offset, length: Int64(bytes.count), range: range, now: now)
        else { return store.abandon(range) }
        try note()
        if isTight || entropy.chance(30) { try store.releaseReservation(file.number) }
    }

    private func cut() throws {
        let file = try file()
        let place = Int64(entropy.number(below: Int(file.size) + 500))
        if entropy.chance(50) {
            try store.truncate(file.number, to: place, now: now)
        } else {
            try store.punchHole(file.number, place..<place + 700, now: now)
        }
    }

    private func rename() throws {
        let (from, name) = (try directory(), name())
        let (to, newName) = (try directory(), self.name())
        guard try store.lookup(from, name) != nil else { return }
        let replaced = try done(store.rename(from: from, name, to: to, newName, mode: .replace, now: now))
        if let replaced { try store.removeOrphan(replaced.number) }
    }

    private func remove() throws {
        let (parent, name) = (try directory(), name())
        guard try store.lookup(parent, name) != nil else { return }
        try store.removeOrphan(try done(store.unlink(parent, name, now: now)).number)
    }

    private func change() throws {
        let update = AttributeUpdate(
            mode: UInt16(entropy.number(below: 0o1000)),
            extendedAttributes: [ExtendedAttribute(name: Array("user.a".utf8), value: entropy.bytes(40))])
        _ = try store.setAttributes(try file().number, update, now: now)
    }

    private func share() throws {
        let (from, to) = (try file(), try file())
        guard from.number != to.number, from.size > 10 else { return }
        try store.clone(from: from.number, 0..<from.size / 2, to: to.number, at: to.size / 2, now: now)
    }

    /// A file goes up: a snapshot, a commit that waits for its answer, and the answer, with writes between.
    private func upload() throws {
        let file = try file()
        guard let snapshot = try store.beginUpload(file.number) else { return }
        let id = CommitID(high: 1, low: entropy.next())
        try done(store.saveCommit(LocalStore.InFlightCommit(id: id, body: entropy.bytes(300), covered: [1])))
        if entropy.chance(60) { try epoch() }
        store.endUpload(snapshot)
        if entropy.chance(50) { try write() }
        guard entropy.chance(80) else { return try store.removeCommit(id) }
        try store.transaction {
            try store.settle(snapshot, as: [(0, try blocks(for: snapshot))])
            try store.removeCommit(id)
        }
    }

    private func blocks(for snapshot: UploadSnapshot) throws -> [Extent] {
        guard snapshot.size > 0 else { return [] }
        let block = try newBlock(bytes: snapshot.size)
        return [Extent(offset: 0, length: snapshot.size, block: block, blockOffset: 0)]
    }

    private func newBlock(bytes: Int64) throws -> BlockID {
        nextBlock += 1
        let id = BlockID(bytes: [boot, UInt8(nextBlock >> 8), UInt8(nextBlock & 255)] + entropy.bytes(29))!
        try store.putBlocks([
            AgreedBlock(
                id: id, wrap: entropy.bytes(60), key: KeyID(high: 1, low: 1), plainBytes: bytes, storedBytes: bytes)
        ])
        return id
    }

    /// A block comes into the cache, perhaps in the place of another; or some of its frames, and the rest later.
    private func cache() throws {
        let length = Int64(1 + entropy.number(below: 40_000))
        if entropy.chance(30) { return try cacheFrames() }
        guard let number = try store.blockNumber(try newBlock(bytes: length)) else { return }
        guard let place = try? store.reserveCache(bytes: length) else { return }
        let bytes = StoreState.blockBytes(number, 0..<length)
        try store.segments.write(bytes, at: place)
        let sums = stride(from: 0, to: bytes.count, by: CachedBlock.frameBytes).map {
            CRC32C.checksum(Array(bytes[$0..<min(bytes.count, $0 + CachedBlock.frameBytes)]))
        }
        try store.commitCache(number, at: place, bytes: length, checksums: sums)
    }

    private func cacheFrames() throws {
        let length = Int64(3 * CachedBlock.frameBytes + entropy.number(in: 1..<CachedBlock.frameBytes))
        guard let number = try store.blockNumber(try newBlock(bytes: length)) else { return }
        for _ in 0..<1 + entropy.number(below: 3) {
            let first = entropy.number(below: 4)
            let frames = first..<first + 1 + entropy.number(below: 4 - first)
            let range =
                CachedBlock.range(ofFrame: frames.lowerBound, bytes: length)
                .lowerBound..<CachedBlock.range(ofFrame: frames.upperBound - 1, bytes: length).upperBound
            guard let place = try? store.reserveCache(bytes: Int64(range.count)) else { return }
            let bytes = StoreState.blockBytes(number, range)
            try store.segments.write(bytes, at: place)
            let sums = bytes.withUnsafeBytes { CRC32C.checksums($0, frameBytes: CachedBlock.frameBytes) }
            if frames == 0..<4 {
                try store.commitCache(number, at: place, bytes: length, checksums: sums)
            } else {
                try store.commitCache(
                    frames: frames, of: number, at: place, bytes: Int64(range.count), checksums: sums)
            }
        }
    }

    // MARK: Epochs

    /// A block is evicted by hand, and its room given back to the disk with work meanwhile.
    private func giveRoomBack() throws {
        try cache()
        for _ in 0..<4 {
            _ = try store.evict(BlockNumber(rawValue: Int64(1 + entropy.number(below: max(1, nextBlock)))))
        }
        try epoch()
        let ranges = try store.takeRoomToGiveBack()
        for range in ranges {
            try write()
            try store.segments.giveRoomBack(range)
        }
        store.roomWasGivenBack(ranges)
        try write()
    }

    /// With work before, between and after its steps, as other threads do it.
    private func epoch() throws {
        let ticket = try begin()
        if reusesEarly { store.finishEpoch(ticket) }
        for _ in 0..<entropy.number(below: reusesEarly ? 12 : 4) { try write() }
        do {
            // At once on several threads, so in any order.
            var parts = try ticket.parts(store.segments)
            while !parts.isEmpty { try parts.remove(at: entropy.number(below: parts.count)).sync() }
            try ticket.complete()
        } catch {
            store.failEpoch(ticket)
            throw error
        }
        epochs[epochs.count - 1].end = disk.position
        if entropy.chance(30) { try write() }
        if !reusesEarly { store.finishEpoch(ticket) }
    }

    /// What is staged is gathered a little at a time at first, with work between.
    private func begin() throws -> EpochTicket {
        while entropy.chance(60), try store.prepareEpoch(1 + entropy.number(below: 4)) { try write() }
        let state = try StoreState(store)
        let position = disk.position
        let ticket = try store.beginEpoch()
        epochs.append(Epoch(begin: position, end: nil, state: state))
        return ticket
    }

    private func failedEpoch() throws { store.failEpoch(try begin()) }

    /// After an epoch, as `EpochKeeper` folds the log.
    private func fold() throws {
        try epoch()
        try LocalStore.checkpoint(directory: configuration.directory)
        if entropy.chance(50) { _ = store.restartLog(rerunning: entropy.chance(80) ? .max : 4_096) }
    }

    /// The process is killed and starts again.
    private func restart() throws {
        guard entropy.chance(40) else { return }
        opened = nil
        opened = try Self.open(configuration, boot: boot, entropy)
        filledSegments = 0
        if isTight { try epoch() }
    }

    // MARK: What has to be

    /// Ends an epoch and lets a copy of the store lose its database: the checksums of the files that were wholly unsent,
    /// by path, before and as they were saved. What programs alone had open is in neither.
    func rescued() throws -> (expected: [String: UInt32], saved: [String: UInt32]) {
        try epoch()
        let ticket = try begin()
        try ticket.sync(store.segments)
        epochs[epochs.count - 1].end = disk.position
        store.finishEpoch(ticket)
        var expected: [String: UInt32] = [:]
        for (path, file) in try StoreState(store).files where file.node.kind == .file && file.node.allocatedBytes > 0 {
            let extents = try store.content(file.node.number, 0..<file.node.size)
            if extents.allSatisfy(\.isStaging) { expected[String(path.dropFirst())] = file.checksum }
        }
        let copy = TemporaryDirectory(inMemory: true)
        let directory = copy.path + "/store"
        try Shell.script(
            "cp -r --sparse=always '\(configuration.directory)' '\(directory)'; rm '\(directory)'/state.db*")
        let rescue = try StoreRescue.run(in: directory, now: now)
        var saved: [String: UInt32] = [:]
        for file in rescue.files where expected[file.savedAs] != nil || file.isWhole {
            let place = try OpenFile(path: (rescue.directory ?? "") + "/" + file.savedAs, .readOnly)
            let bytes = try place.read(count: Int(file.size), at: 0)
            saved[file.savedAs] = CRC32C.checksum(bytes)
        }
        return (expected, saved)
    }

    /// What a store may be after a kill when the trace was this long: what had returned is there, what was under way
    /// may be.
    func statesAfterKill(at position: Int) -> Set<StoreState> {
        guard let last = moments.lastIndex(where: { $0.position <= position }) else { return [] }
        return Set(moments[last...].prefix(moments[last].position == position ? 1 : 2).map(\.state))
    }

    /// What a store may be after a power cut: as at the last epoch that had returned, or at a later one that was on its
    /// way; nil when nothing had been promised yet.
    func statesAfterPowerCut(at position: Int) -> Set<StoreState>? {
        guard let last = epochs.lastIndex(where: { $0.end.map { $0 <= position } ?? false }) else { return nil }
        return Set(epochs[last...].filter { $0.begin <= position }.map(\.state))
    }
}
