import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxWire
import Testing

/// When a plan wants to be made again.
@Suite("The moment of the next plan")
struct PlanTimeTests {
    @Test("is when a new file is quiet, also one that is empty", arguments: ["", "words"])
    func newFile(content: String) throws {
        let world = try World(seed: 1, partial: [], full: ["here"])
        defer { withExtendedLifetime(world) {} }
        let device = world.full[0]
        try ScriptedProgram(device: device).run("make f " + (content.isEmpty ? "x" : content))
        let number = try #require(try device.store.lookup(.root, Name(Array("f".utf8))!)).number
        if content.isEmpty { _ = try device.store.truncate(number, to: 0, now: device.moment()) }
        let made = try #require(try device.store.node(number)).contentChangedAt

        func plan(at moment: Timestamp) throws -> PushPlan {
            try PushPlanner.plan(
                store: device.store, context: PushContext(openForWriting: { _ in false }), now: moment,
                commitID: CommitID(high: 1, low: 1))
        }
        let early = try plan(at: made)
        #expect(early.commit == nil && early.uploads.isEmpty)
        let next = try #require(early.nextReadyAt)
        let later = try plan(at: next)
        #expect(later.uploads == (content.isEmpty ? [] : [number]))
        #expect((later.commit != nil) == content.isEmpty)
    }

    @Test("is never put off for longer than the deadline, by whoever opens, appends and closes again and again")
    func appendedForEver() throws {
        let world = try World(seed: 1, partial: [], full: ["here"])
        defer { withExtendedLifetime(world) {} }
        let device = world.full[0]
        try ScriptedProgram(device: device).run("make f x")
        let number = try #require(try device.store.lookup(.root, Name(Array("f".utf8))!)).number
        var now = try #require(try device.store.node(number)).contentChangedAt
        let end = now.advanced(by: Readiness.deadline)
        var size: Int64 = 1
        while now < end {
            now = now.advanced(by: Readiness.quiet / 2)
            size += 1
            _ = try device.store.truncate(number, to: size, now: now)
            let plan = try PushPlanner.plan(
                store: device.store, context: PushContext(openForWriting: { _ in false }), now: now,
                commitID: CommitID(high: 1, low: 1))
            #expect(plan.uploads == (now < end ? [] : [number]))
        }
    }

    @Test("comes to what is small and new, however much that is large was there before")
    func smallBehindLarge() throws {
        let world = try World(seed: 1, partial: [], full: ["here"])
        defer { withExtendedLifetime(world) {} }
        let device = world.full[0]
        for index in 0..<4_500 { _ = try make("large\(index)", bytes: 1 << 20, on: device) }
        try ScriptedProgram(device: device).run("mkdir d")
        let note = try make("note", bytes: 10, on: device)
        let first = try plan(of: device)
        #expect(first.uploads.first == note && first.largeUploads == Set(first.uploads.dropFirst()))
        #expect((10..<100).contains(first.largeUploads.count))
        #expect(first.commit?.request.entries.map(\.name.display) == ["d"])
        // What is under way leaves large ones no room, and small ones all of it.
        let second = try plan(of: device) {
            $0.uploading = first.largeUploads
            $0.largeUploading = first.largeUploads.count
        }
        #expect(second.uploads == [note])
    }

    @Test("comes to what is large or only larger than others, however much that is small comes")
    func oldBehindSmall() throws {
        let world = try World(seed: 1, partial: [], full: ["here"])
        defer { withExtendedLifetime(world) {} }
        let device = world.full[0]
        let middling = try make("middling", bytes: 200_000, on: device)
        let oldest = try make("oldest", bytes: 2 << 30, on: device)
        for index in 0..<100 { _ = try make("large\(index)", bytes: 1 << 20, on: device) }
        for index in 0..<1_500 { _ = try make("small\(index)", bytes: 10, on: device) }
        let plan = try plan(of: device)
        #expect(plan.uploads.contains(middling) && plan.largeUploads.contains(oldest))
        #expect(plan.uploads.count == Set(plan.uploads).count && plan.uploads.count < 1_100)
    }

    private func make(_ name: String, bytes: Int64, on device: TestDevice) throws -> InodeNumber {
        try ScriptedProgram(device: device).run("make \(name) x")
        let number = try #require(try device.store.lookup(.root, Name(Array(name.utf8))!)).number
        _ = try device.store.truncate(number, to: bytes, now: device.moment())
        return number
    }

    private func plan(of device: TestDevice, _ change: (inout PushContext) -> Void = { _ in }) throws -> PushPlan {
        var context = PushContext(openForWriting: { _ in false })
        change(&context)
        return try PushPlanner.plan(
            store: device.store, context: context, now: device.moment().advanced(by: .seconds(20)),
            commitID: CommitID(high: 1, low: 1))
    }
}
