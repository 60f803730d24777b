import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import Testing

/// What is kept of a conflict so that it can be merged, in the words of docs/SYNC.md.
@Suite("What both versions come from")
struct MergeRecordTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var here: String
        var there: String
        /// Nil: it is not known.
        var base: String?
        var theirs: String
        var testDescription: String { "\(here) | \(there)" }
    }

    @Test(
        "is kept with the conflict",
        arguments: [
            Case(here: "edit f", there: "edit f", base: "base", theirs: "there"),
            Case(here: "save f", there: "edit f", base: "base", theirs: "there"),
            Case(here: "edit f", there: "save f", base: "base", theirs: "there"),
            Case(here: "save f", there: "save f", base: "base", theirs: "there"),
            Case(here: "edit f first; save f second; edit f", there: "edit f", base: "base", theirs: "there"),
            Case(here: "edit f; edit f longer", there: "save f; save f again", base: "base", theirs: "again"),
            Case(here: "delete f; make f", there: "edit f", base: "base", theirs: "there"),
            Case(here: "edit f", there: "restore f", base: "base", theirs: "old"),
            // Theirs is merged where it was moved to.
            Case(here: "edit f", there: "edit f; move f x", base: "base", theirs: "there"),
            // What has the name is another file, and ours comes from what had it.
            Case(here: "edit g", there: "move f g", base: "other", theirs: "base"),
            Case(here: "make x", there: "make x", base: nil, theirs: "there"),
            Case(here: "make x", there: "move f x", base: nil, theirs: "base"),
            // With another name of its own, what was replaced may have moved on.
            Case(here: "link f y; save f", there: "save f", base: nil, theirs: "there"),
        ], [false, true])
    func base(_ item: Case, isRacing: Bool) throws {
        let server = try TestServer(time: FakeTime())
        let pool = BlockPool()
        let here = try TestDevice("here", on: server, blocks: pool, entropy: SeededEntropy(seed: 1))
        let there = try TestDevice("there", on: server, blocks: pool, entropy: SeededEntropy(seed: 2))
        try ScriptedProgram(device: here).run("make f base; make g other")
        try settle(here)
        try there.pull()
        try ScriptedProgram(device: there).run(item.there)
        try ScriptedProgram(device: here).run(item.here)
        try settle(there)
        if isRacing { _ = try here.push() }
        try here.pull()
        let open = try OpenConflict.all(in: here.store)
        try #require(open.count == 1)
        let merge = try #require(open[0].merge)
        #expect(merge.state == (item.base == nil ? .failed(.noBase) : .waiting))
        #expect(try merge.base.map { try text(of: $0, on: here) } == item.base)
        let target = try #require(try open[0].target(in: here.store))
        #expect(try String(decoding: here.read(target), as: UTF8.self) == item.theirs)
        // It is forgotten with the conflict.
        try here.store.forgetConflict(in: open[0].record.parent, keptAs: open[0].record.keptAs)
        #expect(try here.store.merges().isEmpty)
    }

    @Test("waits until the server has both versions, in folders that merge")
    func steps() throws {
        let server = try TestServer(time: FakeTime())
        let pool = BlockPool()
        let here = try TestDevice("here", on: server, blocks: pool, entropy: SeededEntropy(seed: 1))
        let there = try TestDevice("there", on: server, blocks: pool, entropy: SeededEntropy(seed: 2))
        try ScriptedProgram(device: here).run("mkdir d; make d/f base")
        try settle(here)
        try there.pull()
        try ScriptedProgram(device: there).run("edit d/f")
        try settle(there)
        try ScriptedProgram(device: here).run("edit d/f")
        try here.pull()
        func next() throws -> MergeStep {
            let open = try #require(try OpenConflict.all(in: here.store).first)
            return try MergeStep.next(for: open, in: here.store)
        }
        #expect(try next() == .forget)
        try say("text", of: .root, on: here)
        #expect(try next() == .wait)
        try settle(here)
        guard case .merge(let input) = try next() else {
            Issue.record("it is ready")
            return
        }
        #expect(try input.isCurrent(in: here.store))
        // The nearest folder counts, and what it says has to be understood.
        let folder = try #require(try here.store.lookup(.root, Name("d")!)).number
        try say("off", of: folder, on: here)
        #expect(try next() == .forget)
        try say("perhaps", of: folder, on: here)
        #expect(try next() == .merge(input))
        // A program saved another file over the merged one before the server had that: it is looked at again.
        var replaced = try #require(input.conflict.merge)
        replaced.state = .merged(into: InodeNumber(rawValue: 99_999), oursVersion: input.ours.contentVersion)
        try here.store.recordMerge(replaced)
        guard case .merge(let again) = try next() else {
            Issue.record("it is merged again")
            return
        }
        #expect(again.theirs == input.theirs && again.base == input.base)
        #expect(try again.isCurrent(in: here.store))
        // What changes on either side, it is not that merge any more.
        try ScriptedProgram(device: here).run("edit d/f again")
        #expect(try !input.isCurrent(in: here.store))
        #expect(try next() == .wait)
    }

    private func say(_ value: String, of folder: InodeNumber, on device: TestDevice) throws {
        let attribute = ExtendedAttribute(name: MergeRule.attribute, value: Array(value.utf8))
        _ = try device.store.setAttributes(
            folder, AttributeUpdate(extendedAttributes: [attribute]), now: device.moment())
    }

    /// As a file without a name, which is how it is read.
    private func text(of base: MergeBase, on device: TestDevice) throws -> String {
        let number = try device.store.createOrphan(holding: base, now: device.moment())
        let node = try #require(try device.store.node(number))
        defer { try? device.store.removeOrphan(number) }
        return try String(decoding: device.read(node), as: UTF8.self)
    }

    private func settle(_ device: TestDevice) throws {
        for _ in 0..<50 where try !device.push() { return }
    }
}
