import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import Testing

/// Names that were taken here and come back because of what others did: with all above them, and over nobody's work.
@Suite("What comes back")
struct GivingBackTests {
    private let world: World
    private let here: TestDevice
    private let there: TestDevice

    init() throws {
        world = try World(seed: 1, partial: [], full: ["here", "there"])
        (here, there) = (world.full[0], world.full[1])
    }

    private func run(_ script: String, on device: TestDevice) throws { try ScriptedProgram(device: device).run(script) }

    private func send(_ device: TestDevice) throws {
        for _ in 0..<50 where try !device.push() { return }
        Issue.record("\(device.name) never comes to rest: \(device.trace.suffix(2))")
    }

    /// Both have it, and have heard of it.
    private func agree(on script: String) throws {
        try run(script, on: there)
        try send(there)
        for device in [here, there] { try device.pull() }
    }

    private func settle(_ expected: String) throws {
        for device in [here, there, here, there] {
            try device.pull()
            try send(device)
        }
        let fresh = try world.newDevice("fresh")
        for device in [here, there, fresh] {
            let tree = try ScriptedProgram(device: device).tree().map { $0.key + $0.value }
            #expect(tree.sorted() == expected.split(separator: " ").map(String.init).sorted(), "\(device.name)")
            #expect(try device.store.pendingSummary().files == 0, "\(device.name)")
        }
    }

    private func number(_ path: String, _ device: TestDevice) throws -> InodeNumber {
        try #require(try TreePath.node(at: Array(path.utf8), in: device.store)).number
    }

    @Test("has the folders above it, which were removed", arguments: [false, true])
    func removedAbove(isRacing: Bool) throws {
        try agree(on: "mkdir p; mkdir p/q; mkdir p/q/d; make p/q/d/k kept; mkdir h")
        try run("move h p/q/d/h", on: there)
        try send(there)
        try run("move p/q/d h/d; delete p/q; delete p", on: here)
        if isRacing { _ = try here.push() }
        try settle("p/ p/q/ p/q/d/ p/q/d/k=kept p/q/d/h/")
    }

    /// Two folders changed places here, and others moved one of them, or what it lies in into it.
    @Test(
        "is a folder of one name, though what took its place went elsewhere",
        arguments: [
            ("move e/c top", "p/ e/ e/c/ e/c/f=d top/ top/f=c"),
            ("move e/c top; mkdir e/c; make e/c/f new", "p/ e/ e/c/ e/c/f=new e/c~/ e/c~/f=d top/ top/f=c"),
            ("move p/d top", "p/ p/d/ p/d/f=c e/ top/ top/f=d"),
            ("move p/d top; move e/c p/d", "p/ p/d/ p/d/f=c e/ top/ top/f=d"),
            ("move p e/c/p", "e/ e/c/ e/c/f=c e/c/p/ e/c~/ e/c~/f=d"),
            ("move e p/d/e", "p/ p/d/ p/d/f=d p/d/e/ p/d~/ p/d~/f=c"),
        ])
    func changedPlaces(theirs: String, left: String) throws {
        try agree(on: "mkdir p; mkdir p/d; make p/d/f d; mkdir e; mkdir e/c; make e/c/f c")
        try run(theirs, on: there)
        try send(there)
        try run("move p/d between; move e/c p/d; move between e/c", on: here)
        try settle(left)
    }

    @Test(
        "does not go with its folder while newer content of it waits for a close",
        arguments: [("rmtree p", "other=new p/ p/f=there"), ("move p/f g; delete p", "other=new g=there")])
    func waitingForClose(removal: String, left: String) throws {
        try agree(on: "mkdir p; make p/f base; make other old")
        let file = try #require(try here.store.node(number("p/f", here)))
        here.busy = [file.number]
        try run("edit p/f there", on: there)
        try send(there)
        try here.pull()
        try run("\(removal); edit other new", on: here)
        try send(here)
        // Everything else goes up meanwhile, and nothing was refused.
        #expect(here.trace.isEmpty)
        #expect(try ScriptedProgram(device: world.newDevice("observer")).tree()["other"] == "=new")
        here.busy = []
        try here.applyDeferred(file.id)
        try settle(left)
    }

    /// The rules of the mounted directory, at work.
    private final class Sorter {
        private let store: LocalStore
        private var sorter = LocalOnlySorter()

        init(_ rules: String, in store: LocalStore) throws {
            self.store = store
            let file = try #require(try store.unreadRuleFiles().first)
            try store.putRules(file, Array(rules.utf8))
            sorter.use(IgnoreTree(try store.ruleFiles()))
        }

        func sort() throws { while try sorter.step(store) {} }
    }

    /// As `dbxfs ignore --apply` does with each thing: what lies in a folder comes before it.
    private func keepHere(_ path: String) throws {
        let store = here.store
        let node = try #require(try store.node(number(path, here)))
        var copies: [DetachedCopy] = []
        if node.size > 0 {
            let bytes = try here.read(node)
            let range = try store.reserveStaging(node.number, offset: 0, length: node.size)
            try store.segments.write(bytes, at: range.location)
            copies = [DetachedCopy(offset: 0, range: range)]
        }
        let content = try store.contentForDetaching(node.number)
        #expect(try store.detach(node.number, from: content, copies: copies) == .done)
    }

    @Test(
        "has another name where a rule keeps here what has that one",
        arguments: [
            ("build", "make build/new", "build~/ build~/new=there .env=secret"),
            (".env", "edit .env there", ".env~=there build/ build/o=out"),
        ])
    func keptHere(path: String, change: String, left: String) throws {
        try agree(on: "mkdir build; make build/o out; make .env secret; make .dbxfsignore \(path)")
        let sorter = try Sorter(path, in: here.store)
        for path in path == "build" ? ["build/o", path] : [path] { try keepHere(path) }
        let kept = try number(path, here)
        try run(change, on: there)
        try send(there)
        for _ in 0..<3 {
            for device in [here, there] {
                try device.pull()
                try sorter.sort()
                try send(device)
            }
        }
        #expect(try number(path, here) == kept)
        #expect(try here.store.node(kept)?.isLocalOnly == true)
        let shared = try ScriptedProgram(device: there).tree().map { $0.key + $0.value }
        #expect(shared.sorted() == (left.split(separator: " ").map(String.init) + [".dbxfsignore=\(path)"]).sorted())
        #expect(try here.store.pendingSummary().files == 0)
    }

    @Test("is not what was removed while a rule's folder waited for its turn")
    func removedBeforeItsTurn() throws {
        try agree(on: "mkdir build; make build/o out")
        let file = try #require(try here.store.node(number("build/o", here)))
        try run("rmtree build", on: here)
        let content = try here.store.contentForDetaching(file.number)
        #expect(try here.store.detach(file.number, from: content, copies: []) == .obsolete)
        try send(here)
        #expect(try here.store.detach(file.number, from: content, copies: []) == .obsolete)
        try settle("")
    }

    @Test("is everything in a folder that a rule keeps here, not only what was known of it")
    func knownInPart() throws {
        try agree(on: "mkdir build; make build/o out")
        let small = try world.newDevice("small", isPartial: true)
        let folder = try number("build", small)
        #expect(try small.store.detach(folder, from: [], copies: []) == .unlisted)
        #expect(try small.store.pendingSummary().files == 0)
    }

    @Test("has all its names looked at by the rules, however many came at once", .timeLimit(.minutes(1)))
    func manyNames() throws {
        try agree(on: "mkdir src; make src/kept; make .dbxfsignore *.o")
        let sorter = try Sorter("*.o", in: here.store)
        for index in 0..<700 { try run("symlink src/\(index).o", on: here) }
        try sorter.sort()
        #expect(try here.store.pendingSummary().files == 0)
        // With what is here only in it the folder goes on as a new one.
        try run("rmtree src", on: there)
        try send(there)
        try here.pull()
        try sorter.sort()
        try send(here)
        #expect(try here.store.pendingSummary().files == 0)
        #expect(try here.store.localOnlySummary().files == 700)
    }

    /// Until all rows are applied `a` lies in `b` and `b` in `a`; names that only go are the last to be looked at.
    @Test("is not looked for in a circle while others turn folders inside out", arguments: ["make", "mkdir", nil])
    func insideOut(last: String?) throws {
        for index in 0..<8 {
            let top = "q\(index)"
            try agree(on: "mkdir \(top); mkdir \(top)/a; mkdir \(top)/a/b; make \(top)/a/b/f text")
            try run("move \(top)/a/b \(top)b; move \(top)/a \(top)b/a; delete \(top)", on: there)
            if let last { try run("\(last) \(top)", on: there) }
            try send(there)
            try here.pull()
            #expect(try here.tree() == there.tree())
        }
    }
}
