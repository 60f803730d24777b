import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import Testing

/// Who holds the store's lock keeps every program waiting. What sync does in one go is counted in SQLite's instructions,
/// some ten million of which are a second's work: it must not grow with what is pending.
@Suite("With thousands of files pending", .timeLimit(.minutes(3)))
struct LockTimeTests {
    private static let files = 6_000

    /// A device with new empty files that the server does not have, and when the last was made.
    private func device() throws -> TestDevice {
        let server = try TestServer(time: FakeTime())
        let device = try TestDevice("red", on: server, blocks: BlockPool(), entropy: SeededEntropy(seed: 1))
        for index in 0..<Self.files {
            let new = NewNode(kind: .file, mode: 0o644)
            _ = try device.store.create(new, in: .root, Name("f\(index)")!, now: device.moment())
        }
        return device
    }

    private func cost<Value>(on device: TestDevice, _ work: (LocalStore) throws -> Value) throws -> (Value, Int64) {
        let before = device.store.databaseInstructions
        let value = try work(device.store)
        return (value, device.store.databaseInstructions - before)
    }

    @Test("an answered commit is settled a few rows at a time")
    func settling() throws {
        let device = try device()
        device.isLikeDaemon = true
        #expect(try device.push())
        #expect(device.settlingCosts.count > 10)
        #expect(try #require(device.settlingCosts.max()) < 100_000)
    }

    @Test("those that are removed again hide nothing that is made later, and leave the store a few at a time")
    func removed() throws {
        let device = try device()
        for index in 0..<Self.files { _ = try device.store.unlink(.root, Name("f\(index)")!, now: device.moment()) }
        let file = NewNode(kind: .file, mode: 0o644)
        let kept = try device.store.create(file, in: .root, Name("kept")!, now: device.moment())
        try device.store.truncate(kept.number, to: 5, now: device.moment())
        let plan = try PushPlanner.plan(
            store: device.store, context: PushContext(openForWriting: { _ in false }, urgent: true),
            now: device.moment(), commitID: CommitID(high: 1, low: 1))
        #expect(plan.uploads == [kept.number])
        var costs: [Int64] = []
        var last: InodeNumber?
        repeat {
            let (next, cost) = try cost(on: device) { try $0.dropDeadNodes(after: last, limit: 64) { _ in false } }
            costs.append(cost)
            last = next
        } while last != nil
        #expect(try #require(costs.max()) < 100_000)
        #expect(try device.store.node(InodeNumber(rawValue: kept.number.rawValue - 1)) == nil)
        #expect(try device.store.node(kept.number) != nil)
    }

    @Test("the guard counts what it guards, not what is new")
    func guarding() throws {
        let device = try device()
        let (count, cost) = try cost(on: device) { try $0.endangered(bornBefore: device.moment(), afterChange: 0) }
        #expect(count == 0)
        #expect(cost < 1_000)
    }

    @Test("what is pending is counted, and looked for, some rows at a time")
    func pending() throws {
        let device = try device()
        let start = Timestamp(nanoseconds: 0)
        var search = PendingSearch(changedBefore: start, change: 0)
        var count = PendingCount()
        var costs: [Int64] = []
        var (found, summary): (Bool?, PendingSummary?) = (nil, nil)
        while found == nil {
            let (answer, cost) = try cost(on: device) { try search.step($0) }
            found = answer
            costs.append(cost)
        }
        #expect(found == false)
        #expect(costs.count > 2)
        while summary == nil {
            let (answer, cost) = try cost(on: device) { try count.step($0) }
            summary = answer
            costs.append(cost)
        }
        #expect(summary?.files == Int64(2 * Self.files))
        #expect(try #require(costs.max()) < 200_000)
    }
}
