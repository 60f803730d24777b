import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import DbxWire
import Testing

/// Commits that are planned while the one before is on its way.
@Suite("Beside a commit in flight")
final class PlannedAheadTests {
    private let here: TestDevice
    private let there: TestDevice
    private var commits: [CommitRequest] = []

    init() throws {
        let server = try TestServer(time: FakeTime())
        let pool = BlockPool()
        here = try TestDevice("here", on: server, blocks: pool, entropy: SeededEntropy(seed: 1))
        there = try TestDevice("there", on: server, blocks: pool, entropy: SeededEntropy(seed: 2))
        try ScriptedProgram(device: here).run(
            "mkdir kept; make old; make other; make gone; make kept/linked; mkdir from")
        for device in [here, there] {
            device.isLikeDaemon = true
            device.plansAhead = true
            while try device.push() {}
            try device.pull()
        }
        here.onCommit = { [weak self] in self?.commits.append($0) }
    }

    /// Has `first` sent, and `then` done once that commit is planned.
    private func push(_ first: String, then: String) throws {
        let program = ScriptedProgram(device: here)
        try program.run(first)
        var hasRun = false
        _ = try here.push(oncePlanned: {
            if !hasRun { try program.run(then) }
            hasRun = true
        })
    }

    private func names(_ request: CommitRequest) -> [String] {
        request.entries.map { ($0.node == nil ? "-" : "") + $0.name.display }.sorted()
    }

    private func converge() throws {
        while try here.push() {}
        try there.pull()
        #expect(try here.tree() == there.tree())
        #expect(try here.store.pendingSummary().files == 0)
    }

    @Test func `new things go, in directories that it makes too`() throws {
        try push("mkdir d; make d/first", then: "make d/second; mkdir d/e; make d/e/third; make kept/fourth; symlink s")
        #expect(commits.map(names) == [["d", "first"], ["e", "fourth", "s", "second", "third"]])
        try converge()
    }

    @Test(arguments: [
        // What the server has already.
        "move old moved", "edit other", "delete gone", "link kept/linked again", "mode kept 700", "rmtree kept",
        "save other", "delete gone; make gone",
        // What is on its way.
        "edit d/first", "move d e", "move d/first first", "delete d/first", "link d/first first", "rmtree d",
        "move from d/from", "delete d/first; make d/first", "mode d 700",
    ])
    func `everything else waits until it is answered`(then: String) throws {
        try push("mkdir d; make d/first", then: then + "; make new")
        #expect(commits.map(names) == [["d", "first"], ["new"]])
        try converge()
    }

    @Test func `what needs something that waits does so too`() throws {
        try push(
            "mkdir d", then: "move kept/linked d/linked; rmtree kept; make kept; mkdir d/e; move old d/e/old; make d/f")
        #expect(commits.map(names) == [["d"], ["e", "f"]])
        try converge()
    }

    @Test func `it is planned anew where the server refuses that commit`() throws {
        try ScriptedProgram(device: there).run("move from away")
        while try there.push() {}
        try push("move from d; make d/first", then: "make new")
        #expect(commits.map(names).first != ["new"])
        try converge()
    }
}
