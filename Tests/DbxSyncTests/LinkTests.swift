import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import Testing

/// Edits of files with several names, against changes of those names elsewhere.
@Suite("Hard links on two devices")
struct LinkTests {
    /// Two devices that both have the file `f`, which is `x` too.
    private func begin() throws -> (world: World, here: TestDevice, there: TestDevice) {
        let world = try World(seed: 1, partial: [], full: ["here", "there"])
        let (here, there) = (world.full[0], world.full[1])
        try ScriptedProgram(device: there).run("make f base; link f x")
        try send(there)
        try here.pull()
        return (world, here, there)
    }

    private func send(_ device: TestDevice) throws { while try device.push() {} }

    @Test(
        "an edit there is kept, although its other name goes in the same pull",
        arguments: [
            ("save f", ["f": "=there", "f~": "=here"]), ("delete f", ["f": "=there"]),
            ("move g f", ["f": "=there", "f~": "=other"]), ("move f h", ["h": "=there"]),
        ])
    func editAndRemoval(ours: String, expected: [String: String]) throws {
        let (world, here, there) = try begin()
        defer { withExtendedLifetime(world) {} }
        try ScriptedProgram(device: here).run("make g other")
        try ScriptedProgram(device: here).run(ours)
        try ScriptedProgram(device: there).run("edit f there")
        try send(there)
        try ScriptedProgram(device: there).run("delete x")
        try send(there)
        try here.pull()
        try send(here)
        try there.pull()
        var shown = try ScriptedProgram(device: here).tree()
        shown["g"] = nil
        #expect(shown == expected)
        #expect(try here.tree() == there.tree())
    }

    @Test(
        "an edit there that came after our own change of its name is kept, when that goes up after its other name is gone"
    )
    func editThenRemovalUnseen() throws {
        let (world, here, there) = try begin()
        defer { withExtendedLifetime(world) {} }
        try ScriptedProgram(device: here).run("save f")
        try ScriptedProgram(device: there).run("edit f there")
        try send(there)
        try here.pull()
        try ScriptedProgram(device: there).run("delete x")
        try send(there)
        // It is refused, and tried again after the pull.
        try send(here)
        try there.pull()
        #expect(try ScriptedProgram(device: here).tree() == ["f": "=there", "f~": "=here"])
        #expect(try here.tree() == there.tree())
    }

    @Test(
        "an edit there that came after our own change of its name is kept, when its other name goes later",
        arguments: [
            (["save f"], ["f": "=there", "f~": "=here"]), (["delete f"], ["f": "=there"]),
            (["move f h"], ["h": "=there"]), (["save f", "save f"], ["f": "=there", "f~": "=here"]),
            // Whoever saves over what was edited there, and has seen it, means it.
            (["nothing", "save f"], ["f": "=here"]),
        ])
    func editThenRemoval(ours: [String], expected: [String: String]) throws {
        let (world, here, there) = try begin()
        defer { withExtendedLifetime(world) {} }
        try ScriptedProgram(device: here).run(ours[0])
        try ScriptedProgram(device: there).run("edit f there")
        try send(there)
        try here.pull()
        for script in ours.dropFirst() { try ScriptedProgram(device: here).run(script) }
        try ScriptedProgram(device: there).run("delete x")
        try send(there)
        try here.pull()
        try send(here)
        try there.pull()
        #expect(try ScriptedProgram(device: here).tree() == expected)
        #expect(try here.tree() == there.tree())
    }

    /// When the other computer's changes go up, among the steps of the one that edits.
    enum Moment: CaseIterable { case first, betweenThem, last }

    @Test(
        "an edit of a file that loses one name here and the other one there is kept",
        arguments: Moment.allCases, [("delete f", ["x": "=there"]), ("save f", ["f": "=here", "x": "=there"])])
    func eachTakesTheOthersName(moment: Moment, ours: (script: String, expected: [String: String])) throws {
        let (world, here, there) = try begin()
        defer { withExtendedLifetime(world) {} }
        try ScriptedProgram(device: here).run(ours.script)
        if moment == .first { try send(here) }
        try ScriptedProgram(device: there).run("edit f there")
        if moment != .last { try send(there) }
        if moment == .betweenThem { try send(here) }
        try ScriptedProgram(device: there).run("delete x")
        // Refused where the other name has gone, and tried again after the pull.
        try send(there)
        if moment == .last { try send(here) }
        for device in [here, there, here] {
            try device.pull()
            try send(device)
        }
        let tree = try ScriptedProgram(device: there).tree()
        #expect(Set(tree.values) == Set(ours.expected.values), "\(tree)")
        #expect(try here.tree() == there.tree())
    }

    @Test(
        "an edit there that meets one of ours, of a file that has lost a name here, is kept when its other name goes later"
    )
    func editsOnBothSides() throws {
        let (world, here, there) = try begin()
        defer { withExtendedLifetime(world) {} }
        try ScriptedProgram(device: here).run("edit f here; delete x")
        try ScriptedProgram(device: there).run("edit f there")
        try send(there)
        try here.pull()
        try ScriptedProgram(device: there).run("delete f")
        try send(there)
        try send(here)
        try there.pull()
        #expect(try ScriptedProgram(device: here).tree() == ["f~": "=here", "x": "=there"])
        #expect(try here.tree() == there.tree())
    }

    @Test("a file ends with its last name, although one is known here that the server does not have")
    func nameThatIsNotThere() throws {
        let (world, here, there) = try begin()
        defer { withExtendedLifetime(world) {} }
        try ScriptedProgram(device: there).run("make g other")
        try send(there)
        let store = here.store
        let (root, file) = (try store.node(.root)!, try store.lookup(.root, Name(Array("f".utf8))!)!)
        // As in a folder that is known in part, after what was removed from it has been forgotten.
        try store.putAgreedEntry(parent: root.id, name: Name(Array("y".utf8))!, node: file.id, seq: Seq(1))
        try ScriptedProgram(device: here).run("delete f; delete x")
        try send(here)
        try there.pull()
        #expect(try ScriptedProgram(device: here).tree() == ["g": "=other"])
        #expect(try here.tree() == there.tree())
    }

    @Test("an edit is kept when its names go one after the other, the first one unseen, and ours before that")
    func threeNames() throws {
        let (world, here, there) = try begin()
        defer { withExtendedLifetime(world) {} }
        try ScriptedProgram(device: there).run("link f y")
        try send(there)
        try here.pull()
        try ScriptedProgram(device: here).run("edit f here")
        try send(here)
        try ScriptedProgram(device: here).run("delete f")
        try ScriptedProgram(device: there).run("delete x")
        try send(there)
        try there.pull()
        try ScriptedProgram(device: there).run("delete y")
        try send(there)
        try here.pull()
        try send(here)
        try there.pull()
        #expect(Set(try ScriptedProgram(device: here).tree().values) == ["=here"])
        #expect(try here.tree() == there.tree())
    }

    @Test("a file that was seen as it is, and loses one name here and the other one there, is gone")
    func eachTakesTheOthersNameKnowingly() throws {
        let (world, here, there) = try begin()
        defer { withExtendedLifetime(world) {} }
        try ScriptedProgram(device: here).run("delete f")
        try ScriptedProgram(device: there).run("delete x")
        try send(here)
        try send(there)
        try here.pull()
        #expect(try ScriptedProgram(device: here).tree() == [:])
        #expect(try here.tree() == there.tree())
    }
}
