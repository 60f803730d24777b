import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import Testing

@Suite("The mass-change guard decides")
struct MassChangeDecisionTests {
    private let wall = Timestamp(seconds: 1_800_000_000, nanoseconds: 0)

    private func verdict(
        _ judge: inout MassChangeGuard, pending: Int, of nodes: Int = 4_000, at seconds: Int64 = 0
    ) -> MassChangeGuard.Verdict {
        judge.judge(pending: pending, now: .seconds(seconds), wall: wall) { min(nodes, $0) }
    }

    private func isOpen(_ verdict: MassChangeGuard.Verdict) -> Bool { verdict == .open }

    private func isTripped(_ verdict: MassChangeGuard.Verdict) -> Bool {
        if case .hold(_, nil) = verdict { true } else { false }
    }

    @Test("that less than a thousand, or than a quarter of all, may go")
    func thresholds() {
        var judge = MassChangeGuard(MassChangeGuard.Settings())
        #expect(isOpen(verdict(&judge, pending: 99)))
        _ = verdict(&judge, pending: 999)
        #expect(isOpen(verdict(&judge, pending: 999, at: 5)))
        _ = verdict(&judge, pending: 2_499, of: 10_000, at: 6)
        #expect(isOpen(verdict(&judge, pending: 2_499, of: 10_000, at: 11)))
        #expect(isTripped(verdict(&judge, pending: 2_500, of: 10_000, at: 12)))
    }

    @Test("about a burst as a whole: it waits until no more comes, but not for ever")
    func gathering() {
        var judge = MassChangeGuard(MassChangeGuard.Settings())
        for second in Int64(0)..<60 {
            guard case .hold(_, let until?) = verdict(&judge, pending: 100 + Int(second), at: second) else {
                Issue.record("not gathered after \(second) s")
                return
            }
            #expect(until <= .seconds(60))
        }
        #expect(isOpen(verdict(&judge, pending: 161, at: 60)))
        var quiet = MassChangeGuard(MassChangeGuard.Settings())
        _ = verdict(&quiet, pending: 200)
        #expect(isOpen(verdict(&quiet, pending: 200, at: 5)))
        // What goes up in several commits does not begin again.
        #expect(isOpen(verdict(&quiet, pending: 150, at: 6)))
    }

    @Test("with what went up within the hour, not with what went up before")
    func window() {
        var judge = MassChangeGuard(MassChangeGuard.Settings())
        judge.sent(900, now: .zero)
        #expect(isTripped(verdict(&judge, pending: 100, at: 3_600)))
        var later = MassChangeGuard(MassChangeGuard.Settings())
        later.sent(900, now: .zero)
        #expect(!isTripped(verdict(&later, pending: 100, at: 3_601)))
    }

    @Test("to hold until somebody answers or nothing is left of it, also after a restart")
    func answers() {
        var judge = MassChangeGuard(MassChangeGuard.Settings())
        #expect(isTripped(verdict(&judge, pending: 2_000)))
        var restarted = MassChangeGuard(MassChangeGuard.Settings(), record: judge.record)
        #expect(isTripped(verdict(&restarted, pending: 10, at: 100_000)))
        #expect(isOpen(verdict(&restarted, pending: 0)))
        judge.confirm(change: 77)
        #expect(judge.rule(wall: wall).confirmedChange == 77)
        #expect(isOpen(verdict(&judge, pending: 0)))
    }
}

/// The guard between a device's rows and a real server core, as the engine puts it there, on a clock of its own.
@Suite("The mass-change guard")
struct MassChangeGuardTests {
    private final class Bench {
        let time = FakeTime()
        let server: TestServer
        let device: TestDevice
        let program: ScriptedProgram
        var judge: MassChangeGuard
        let folders = 4
        let files = 25

        init() throws {
            server = try TestServer(time: time)
            device = try TestDevice("here", on: server, blocks: BlockPool(), entropy: SeededEntropy(seed: 1))
            program = ScriptedProgram(device: device)
            var settings = MassChangeGuard.Settings()
            settings.minimum = 40
            judge = MassChangeGuard(settings)
            for folder in 0..<folders {
                try program.run("mkdir d\(folder)")
                for file in 0..<files { try program.run("make d\(folder)/f\(file) text\(file)") }
            }
            try sync()
            try device.pull()
            time.advance(by: .seconds(2 * 86_400))
        }

        /// As the sync loop: judge, plan, send; a gathering burst waits for its quiet time.
        @discardableResult
        func sync() throws -> Bool {
            for _ in 0..<400 {
                let wall = time.now()
                let rule = judge.rule(wall: wall)
                let store = device.store
                let pending = try store.endangered(bornBefore: rule.bornBefore, afterChange: rule.confirmedChange)
                let verdict = try judge.judge(pending: pending, now: time.monotonic(), wall: wall) { limit in
                    try store.agreedNodeCount(upTo: limit)
                }
                switch verdict {
                case .open: device.rule = nil
                case .hold(let held, let until):
                    if let until {
                        time.advance(by: until - time.monotonic())
                        continue
                    }
                    device.rule = held
                }
                let before = try store.endangered(bornBefore: rule.bornBefore, afterChange: rule.confirmedChange)
                guard try device.push() else { return judge.record.trip != nil }
                let after = try store.endangered(bornBefore: rule.bornBefore, afterChange: rule.confirmedChange)
                judge.sent(max(0, before - after), now: time.monotonic())
            }
            Issue.record("never comes to rest: \(device.trace.suffix(2))")
            return false
        }

        func serverTree() throws -> [String: String] {
            let fresh = try TestDevice("fresh", on: server, blocks: device.blocks, entropy: SeededEntropy(seed: 9))
            return try ScriptedProgram(device: fresh).tree()
        }
    }

    @Test("lets a day of git, make and npm pass", .timeLimit(.minutes(1)))
    func day() throws {
        let bench = try Bench()
        for hour in 0..<24 {
            // Objects and modules that come and go, sources that are edited and saved.
            try bench.program.run("mkdir build; mkdir node_modules")
            for index in 0..<60 { try bench.program.run("make build/o\(index); make node_modules/m\(index)") }
            try bench.program.run("save d0/f\(hour) new; edit d1/f\(hour) new; move d2/f\(hour) d2/g\(hour)")
            #expect(try !bench.sync(), "hour \(hour)")
            try bench.program.run("rmtree build; rmtree node_modules; make .lock; delete .lock")
            #expect(try !bench.sync(), "hour \(hour)")
            bench.time.advance(by: .seconds(3_600))
        }
        #expect(try bench.serverTree() == bench.program.tree())
    }

    @Test("holds the removal of a real tree, lets all else through, and gives it back exactly", .timeLimit(.minutes(1)))
    func removal() throws {
        let bench = try Bench()
        let before = try bench.program.tree()
        for folder in 0..<2 { try bench.program.run("rmtree d\(folder)") }
        // A new folder of the name waits as well; what lies elsewhere does not.
        try bench.program.run("mkdir d0; make d0/new; make other")
        #expect(try bench.sync())
        var expected = before
        expected["other"] = "=here"
        #expect(try bench.serverTree() == expected)
        try undo(bench)
        // The folder that was new is work of its own.
        expected["d0~/"] = ""
        expected["d0~/new"] = "=here"
        #expect(try bench.program.tree() == expected)
        #expect(try !bench.sync())
        #expect(try bench.serverTree() == expected)
        #expect(try bench.device.store.pendingSummary().files == 0)
    }

    @Test("gives back a young folder with what is given back in it, were it an empty folder", .timeLimit(.minutes(1)))
    func youngFolder() throws {
        let bench = try Bench()
        try bench.program.run("mkdir old")
        #expect(try !bench.sync())
        bench.time.advance(by: .seconds(2 * 86_400))
        let other = try TestDevice(
            "there", on: bench.server, blocks: bench.device.blocks, entropy: SeededEntropy(seed: 2))
        try ScriptedProgram(device: other).run("mkdir young; mkdir young/inner")
        #expect(try other.push())
        try bench.device.pull()
        try bench.program.run("move old young/inner/old; move d0 young/d0")
        #expect(try !bench.sync())
        try bench.device.pull()
        let expected = try bench.program.tree()
        for path in ["young", "d1"] { try bench.program.run("rmtree \(path)") }
        #expect(try bench.sync())
        try undo(bench)
        #expect(try bench.program.tree() == expected)
        #expect(try !bench.sync())
        #expect(try bench.serverTree() == expected)
        #expect(try bench.device.store.pendingSummary().files == 0)
    }

    @Test(
        "holds a mass re-encryption, by whatever way it writes, and undoes it exactly", .timeLimit(.minutes(1)),
        arguments: ["edit", "save", "rename", "move over"])
    func encryption(way: String) throws {
        let bench = try Bench()
        let before = try bench.program.tree()
        for folder in 0..<2 {
            for file in 0..<bench.files {
                let path = "d\(folder)/f\(file)"
                switch way {
                case "rename": try bench.program.run("edit \(path) secret; move \(path) \(path).enc")
                case "move over": try bench.program.run("move d\(folder + 2)/f\(file) \(path)")
                default: try bench.program.run("\(way) \(path) secret")
                }
            }
        }
        #expect(try bench.sync())
        #expect(try bench.serverTree() == before)
        try undo(bench)
        #expect(try bench.program.tree() == before)
        #expect(try !bench.sync())
        #expect(try bench.serverTree() == before)
        #expect(try bench.device.store.pendingSummary().files == 0)
    }

    @Test(
        "undoes nothing that is written after somebody asked for it, without the network even", .timeLimit(.minutes(1)),
        arguments: [false, true])
    func writtenAfterUndo(isEarly: Bool) throws {
        let bench = try Bench()
        var expected = try bench.program.tree()
        for folder in 0..<2 {
            for file in 0..<bench.files { try bench.program.run("edit d\(folder)/f\(file) secret") }
        }
        #expect(try bench.sync())
        try bench.program.run("save d1/f4 secret; save d1/f5 secret")
        let script = "edit d0/f1 work; delete d0/f2; make d0/f3.new work" + (isEarly ? "; edit d1/f4 work" : "")
        if isEarly { expected["d1/f4~"] = "=work" }
        if isEarly { try undo(bench, early: script) } else { try undo(bench, meanwhile: script) }
        expected["d0/f1~"] = "=work"
        expected["d0/f2"] = nil
        expected["d0/f3.new"] = "=work"
        #expect(try bench.program.tree() == expected)
        #expect(try !bench.sync())
        #expect(try bench.serverTree() == expected)
    }

    @Test("gives a folder one name back, though something held has taken its place", .timeLimit(.minutes(1)))
    func takenPlace() throws {
        let bench = try Bench()
        try bench.program.run("mkdir place; make place/f text")
        #expect(try !bench.sync())
        let expected = try bench.program.tree()
        try bench.program.run("move place elsewhere; move d0/f0 place; edit place secret")
        for file in 1..<bench.files { try bench.program.run("edit d0/f\(file) secret; edit d1/f\(file) secret") }
        #expect(try bench.sync())
        let rule = try #require(bench.judge.record.trip?.rule)
        let (store, moved) = (bench.device.store, try bench.program.node("elsewhere").number)
        _ = try MassChangeUndo.perform(
            rule, upTo: store.changeCounter, in: store, device: "here", now: bench.time.now())
        #expect(try store.entries(of: moved).map(\.name.display) == ["place"])
        bench.judge.beginUndo()
        try bench.device.pull()
        bench.judge.endUndo()
        #expect(try bench.program.tree() == expected)
        #expect(try !bench.sync())
        #expect(try bench.serverTree() == expected)
    }

    @Test("lets go what was confirmed, and watches on", .timeLimit(.minutes(1)))
    func confirmed() throws {
        let bench = try Bench()
        for folder in 0..<2 { try bench.program.run("rmtree d\(folder)") }
        #expect(try bench.sync())
        bench.judge.confirm(change: bench.device.store.changeCounter)
        #expect(try !bench.sync())
        #expect(try bench.serverTree() == bench.program.tree())
        for folder in 2..<4 { try bench.program.run("rmtree d\(folder)") }
        #expect(try bench.sync())
    }

    /// `early`: between the question and its answer; `script`: until the server's state has come.
    private func undo(_ bench: Bench, early: String = "nothing", meanwhile script: String = "nothing") throws {
        let rule = try #require(bench.judge.record.trip?.rule)
        let change = bench.device.store.changeCounter
        try bench.program.run(early)
        _ = try MassChangeUndo.perform(
            rule, upTo: change, in: bench.device.store, device: "here", now: bench.time.now())
        bench.judge.beginUndo()
        try bench.program.run(script)
        try bench.device.pull()
        bench.judge.endUndo()
    }
}
