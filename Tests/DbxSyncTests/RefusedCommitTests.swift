import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import DbxWire
import Testing

/// A proxy sends a commit that the server refused once more, and then it is taken: when there is room again.
@Suite("A refused commit that the server takes later")
struct RefusedCommitTests {
    /// What was there, what the commit says, what was done after it was refused, and what comes out.
    struct Case: CustomTestStringConvertible {
        var before: String
        var change: String
        var since = "nothing"
        var expected: [String: String]

        var testDescription: String { "\(before) | \(change) | \(since)" }
    }

    static let cases = [
        Case(before: "nothing", change: "make f new", expected: ["f": "=new"]),
        Case(before: "make f base", change: "save f new", expected: ["f": "=new"]),
        Case(before: "make f base", change: "edit f new", expected: ["f": "=new"]),
        Case(before: "make f base; link f x", change: "save f new", expected: ["f": "=new", "x": "=base"]),
        Case(before: "nothing", change: "mkdir d; make d/f new", expected: ["d/": "", "d/f": "=new"]),
        Case(before: "make f base", change: "move f g", expected: ["g": "=base"]),
        Case(before: "make f base", change: "delete f", expected: [:]),
        Case(before: "nothing", change: "make f new", since: "edit f newer", expected: ["f": "=newer"]),
        Case(before: "make f base", change: "save f new", since: "edit f newer", expected: ["f": "=newer"]),
        Case(before: "make f base", change: "save f new", since: "save f newer", expected: ["f": "=newer"]),
        Case(before: "make f base", change: "edit f new", since: "edit f newer", expected: ["f": "=newer"]),
        Case(before: "make f base", change: "edit f new", since: "move f g", expected: ["g": "=new"]),
        Case(before: "make f base", change: "edit f new", since: "delete f", expected: [:]),
        Case(before: "nothing", change: "make f new", since: "delete f; mkdir f", expected: ["f/": ""]),
        Case(
            before: "make f base; link f x", change: "edit f new", since: "edit x newer",
            expected: ["f": "=newer", "x": "=newer"]),
    ]

    @Test("is no conflict with what is here", arguments: cases)
    func taken(_ sample: Case) throws {
        let world = try World(seed: 1, partial: [], full: ["here", "there"])
        defer { withExtendedLifetime(world) {} }
        let (here, there) = (world.full[0], world.full[1])
        here.mostRows = 100
        let program = ScriptedProgram(device: here)
        try program.run(sample.before)
        while try here.push() {}
        try program.run(sample.change)
        here.isLikeDaemon = true
        #expect(
            try here.push(meanwhile: {
                try program.run(sample.since)
                throw Problem(kind: .conflict, detail: "refused, and taken later")
            }))
        while try here.push() {}
        try there.pull()
        let shown = try program.tree()
        #expect(shown == sample.expected)
        #expect(try here.tree() == there.tree())
        #expect(here.conflicts.isEmpty)
    }

    /// What the commit says, what others did before it was taken, what was done here meanwhile, and what comes out.
    static let beside = [
        ("mode f 600", "edit f theirs", "edit f ours", ["f": "=theirs:600", "f~": "=ours:600"]),
        ("move g h", "edit g theirs", "make h ours", ["f": "=base", "h": "=theirs", "h~": "=ours"]),
    ]

    @Test("hides no edit of somebody else", arguments: beside)
    func others(change: String, theirs: String, since: String, expected: [String: String]) throws {
        let world = try World(seed: 1, partial: [], full: ["here", "there"])
        defer { withExtendedLifetime(world) {} }
        let (here, there) = (world.full[0], world.full[1])
        let program = ScriptedProgram(device: here)
        try program.run("make f base; make g base")
        while try here.push() {}
        try there.pull()
        try ScriptedProgram(device: there).run(theirs)
        while try there.push() {}
        here.isLikeDaemon = true
        try program.run(change)
        let wasSent = try here.push(meanwhile: {
            try program.run(since.hasPrefix("make") ? "delete h; " + since : since)
            throw Problem(kind: .conflict, detail: "refused, and taken later")
        })
        #expect(wasSent)
        while try here.push() {}
        try there.pull()
        var shown = try program.tree()
        if expected["g"] == nil { shown["g"] = nil }
        #expect(shown.filter { expected[$0.key] != nil || $0.key.hasSuffix("~") } == expected)
        #expect(try here.tree() == there.tree())
    }
}
