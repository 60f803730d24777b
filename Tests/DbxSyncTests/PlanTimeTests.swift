import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
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
}
