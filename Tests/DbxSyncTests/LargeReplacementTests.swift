import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxSystem
import Testing

/// A large folder whose name another one takes before the server has heard of it: what was in the first has to leave it with
/// the commit that makes the second.
@Suite("A folder in the place of a large one", .timeLimit(.minutes(3)))
struct LargeReplacementTests {
    private let folder = Name(Array("folder".utf8))!

    /// Two devices that have the folder with so many files in it.
    private func begin(files: Int) throws -> (world: World, here: TestDevice, there: TestDevice) {
        let world = try World(seed: 1, partial: [], full: ["here", "there"])
        let (here, there) = (world.full[0], world.full[1])
        for device in [here, there] { device.isLikeDaemon = true }
        let directory = try makeFolder(here)
        for index in 0..<files { try make(index, in: directory, here) }
        while try here.push() {}
        return (world, here, there)
    }

    private func makeFolder(_ device: TestDevice) throws -> InodeNumber {
        try device.store.create(NewNode(kind: .directory, mode: 0o755), in: .root, folder, now: device.moment()).number
    }

    private func name(_ index: Int) -> Name { Name(Array("f\(index)".utf8))! }

    private func make(_ index: Int, in directory: InodeNumber, _ device: TestDevice) throws {
        _ = try device.store.create(
            NewNode(kind: .fifo, mode: 0o644), in: directory, name(index), now: device.moment())
    }

    private func removeFolder(_ device: TestDevice, files: Int) throws {
        let old = try #require(try device.store.lookup(.root, folder)).number
        for index in 0..<files { _ = try device.store.unlink(old, name(index), now: device.moment()) }
        _ = try device.store.unlink(.root, folder, now: device.moment())
    }

    @Test("goes up, although all that the first one held is in it")
    func filesThatReturn() throws {
        let files = 2_400
        let (world, here, there) = try begin(files: files)
        defer { withExtendedLifetime(world) {} }
        let old = try #require(try here.store.lookup(.root, folder)).number
        let aside = try here.store.create(
            NewNode(kind: .directory, mode: 0o755), in: .root, Name(Array("aside".utf8))!, now: here.moment()
        ).number
        try move(files, from: old, to: aside, here)
        _ = try here.store.unlink(.root, folder, now: here.moment())
        try move(files, from: aside, to: try makeFolder(here), here)
        while try here.push() {}
        try there.pull()
        #expect(try here.tree() == there.tree())
        let shown = try #require(try there.store.lookup(.root, folder))
        #expect(try there.store.list(shown.number, after: 0, limit: .max).count == files)
    }

    private func move(_ files: Int, from: InodeNumber, to: InodeNumber, _ device: TestDevice) throws {
        for index in 0..<files {
            _ = try device.store.rename(
                from: from, name(index), to: to, name(index), mode: .noReplace, now: device.moment())
        }
    }

    @Test("costs the plan no more for each thing in it")
    func manyNewFiles() throws {
        let files = 5_000
        let costs = try [4, 100].map { new in
            let (world, here, there) = try begin(files: files)
            defer { withExtendedLifetime(world) {} }
            try removeFolder(here, files: files)
            let directory = try makeFolder(here)
            for index in 0..<new { try make(index, in: directory, here) }
            let before = here.store.databaseInstructions
            _ = try PushPlanner.plan(
                store: here.store, context: PushContext(openForWriting: { _ in false }, urgent: true),
                now: here.moment(),
                commitID: CommitID(high: 1, low: 1))
            let cost = here.store.databaseInstructions - before
            while try here.push() {}
            try there.pull()
            #expect(try here.tree() == there.tree())
            return cost
        }
        #expect(costs[1] < 2 * costs[0], "\(costs)")
    }

    @Test("is planned also where each file needs the one before it to go")
    func chainOfMoves() throws {
        let files = 3_000
        let (world, here, there) = try begin(files: files)
        defer { withExtendedLifetime(world) {} }
        let directory = try #require(try here.store.lookup(.root, folder)).number
        for index in (0..<files).reversed() {
            _ = try here.store.rename(
                from: directory, name(index), to: directory, name(index + 1), mode: .noReplace, now: here.moment())
        }
        nonisolated(unsafe) let device = here
        let failure = Monitor<(any Error)?>(nil)
        let thread = try WorkerThread(name: "plan", stackBytes: PushPlanner.stackBytes) {
            do { while try device.push() {} } catch { failure.update { $0 = error } }
        }
        thread.join()
        #expect(failure.withLock { $0 } == nil)
        try there.pull()
        #expect(try here.tree() == there.tree())
    }
}
