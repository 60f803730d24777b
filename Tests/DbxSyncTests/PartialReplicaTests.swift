import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import DbxWire
import Testing

/// Devices that know a part of the tree only, against a real server core: pages of listings, pulls, moves and work of
/// their own in any order.
@Suite("Partial replicas")
struct PartialReplicaTests {
    @Test("are a full replica restricted to what was listed", .timeLimit(.minutes(5)), arguments: testSeeds(30))
    func restriction(seed: UInt64) throws {
        let world = try World(seed: seed, partial: ["small"], full: ["red", "green"])
        world.listsAhead = true
        for _ in 0..<80 {
            if world.entropy.chance(50) {
                try world.work(world.full)
            } else {
                try world.listOrPull(world.partial[0])
            }
        }
        let small = world.partial[0]
        small.beforeAnswer = {}
        try world.settle()
        try small.pull()
        let everything = try world.newDevice("everything")
        #expect(try world.difference(of: small, from: everything).isEmpty, "seed \(seed)")
        try world.takeAll(small)
        try world.listEverything(small)
        #expect(try small.tree() == everything.tree(), "seed \(seed)")
    }

    @Test("converge with others while programs work on all of them", .timeLimit(.minutes(5)), arguments: testSeeds(20))
    func converge(seed: UInt64) throws {
        let world = try World(seed: seed, partial: ["small", "tiny"], full: ["red"])
        world.listsAhead = true
        for _ in 0..<90 {
            let device = world.entropy.element(of: world.all)
            if world.entropy.chance(30) { try world.listOrPull(device) } else { try world.work([device]) }
        }
        try world.expectAgreement()
    }

    @Test("say what the mounted directory is to be before anybody has changed anything", arguments: [false, true])
    func firstWord(isPartial: Bool) throws {
        let world = try World(seed: 1, partial: [], full: [])
        let device = try world.newDevice("first", isPartial: isPartial)
        try ScriptedProgram(device: device).run("mode / 700; make f")
        for _ in 0..<3 where try !device.push() { try device.pull() }
        #expect(try device.store.pendingSummary().files == 0, "\(device.trace)")
        let other = try world.newDevice("other")
        #expect(try other.store.node(InodeNumber.root)?.attributes.mode == 0o700)
        #expect(try other.tree() == device.tree())
    }

    @Test(
        "see what happened to a file between the page that lists it and a pull that came first",
        arguments: ["edit d/f there", "mode d/f 600"])
    func changedWhilePageWasUnderWay(change: String) throws {
        let world = try World(seed: 1, partial: [], full: ["red"])
        let red = ScriptedProgram(device: world.full[0])
        try red.run("mkdir d; make d/f base")
        while try world.full[0].push() {}
        let small = try world.newDevice("small", isPartial: true)
        let directory = try #require(try small.store.lookup(.root, Name(Array("d".utf8))!)).number
        let page = try #require(try small.askForPage(of: directory))
        try red.run(change)
        while try world.full[0].push() {}
        try small.pull()
        try small.take(page)
        #expect(try small.tree() == world.newDevice("fresh").tree())
    }

    @Test("know all of a new folder that comes to be known by what moved into it")
    func newFolderAroundKnown() throws {
        let world = try World(seed: 1, partial: [], full: ["red"])
        let red = ScriptedProgram(device: world.full[0])
        try red.run("mkdir a; mkdir known; make known/f kept")
        while try world.full[0].push() {}
        let small = try world.newDevice("small", isPartial: true)
        #expect(try ScriptedProgram(device: small).node("a").knowledge == .partial)
        try red.run("mkdir a/new; move known a/new/known; make a/new/other x; mkdir a/new/below; make a/new/below/y y")
        while try world.full[0].push() {}
        try red.run("make a/new/later z")
        while try world.full[0].push() {}
        try small.pull()
        try world.listEverything(small)
        #expect(try small.tree() == world.newDevice("fresh").tree())
    }

    @Test("whose cursor is gone compare what they know anew, follow what moved, and keep their work")
    func startingOver() throws {
        let world = try World(seed: 1, partial: ["small"], full: ["red"])
        let (red, small) = (ScriptedProgram(device: world.full[0]), world.partial[0])
        try red.run("mkdir d; make d/k kept; mkdir h; mkdir e; make e/x old; make f base; make g other; mkdir e/deep")
        try world.settle()
        try world.listEverything(small)
        try red.run("move d/k h/k; move e h/e; edit f there; make n new; mkdir d/new; make d/new/y new")
        while try world.full[0].push() {}
        try ScriptedProgram(device: small).run("edit g here; make d/mine here")
        try world.server.forgetRemovals()
        try small.pull()
        #expect(try ScriptedProgram(device: small).tree()["d/k"] != nil)
        try world.listEverything(small)
        try world.settle()
        try world.listEverything(small)
        let (shown, whole) = (try small.tree(), try world.newDevice("fresh").tree())
        let differing = Set(shown.keys).union(whole.keys).filter { shown[$0] != whole[$0] }.sorted()
        #expect(differing.map { "\($0): here \(shown[$0] ?? "-"), there \(whole[$0] ?? "-")" } == [])
        #expect(try small.store.pendingSummary().files == 0)
    }
}

/// Some devices on one server, and what happens to them at random.
final class World {
    let entropy: SeededEntropy
    let full: [TestDevice]
    let partial: [TestDevice]
    private let seed: UInt64
    let server: TestServer
    private let pool = BlockPool()
    /// Whether a page is asked for while the one before it is not applied yet.
    var listsAhead = false
    private var underWay: [(device: TestDevice, page: TestDevice.PageUnderWay)] = []

    var all: [TestDevice] { full + partial }

    init(seed: UInt64, partial: [String], full: [String]) throws {
        self.seed = seed
        let (server, pool) = (try TestServer(time: FakeTime()), pool)
        let entropy = SeededEntropy(seed: seed)
        self.server = server
        self.entropy = entropy
        self.full = try full.map { try TestDevice($0, on: server, blocks: pool, entropy: entropy) }
        self.partial = try partial.map {
            try TestDevice($0, on: server, blocks: pool, entropy: entropy, isPartial: true)
        }
        // What others do while a question is on its way.
        for device in self.partial {
            device.beforeAnswer = { [self] in if entropy.chance(30) { try work(self.full) } }
        }
    }

    /// Ends the work: all devices, the partial ones when they have listed everything, show what a new one does.
    func expectAgreement() throws {
        for device in partial {
            device.beforeAnswer = {}
            try takeAll(device)
        }
        try settle()
        let expected = try newDevice("everything").tree()
        for device in partial { try listEverything(device) }
        for device in all {
            let shown = try device.tree()
            let differing = Set(shown.keys).union(expected.keys).filter { shown[$0] != expected[$0] }.sorted()
            let report = differing.map { "\($0): here \(shown[$0] ?? "-"), there \(expected[$0] ?? "-")" }
            #expect(report.isEmpty, "seed \(seed), \(device.name)")
            #expect(try device.store.pendingSummary().files == 0, "seed \(seed), \(device.name)")
        }
    }

    func newDevice(_ name: String, isPartial: Bool = false) throws -> TestDevice {
        let device = try TestDevice(name, on: server, blocks: pool, entropy: entropy, isPartial: isPartial)
        try device.pull()
        return device
    }

    /// One of the devices works, pushes, or pulls.
    func work(_ devices: [TestDevice]) throws {
        let device = entropy.element(of: devices)
        switch entropy.number(below: 8) {
        case 0: try device.pull()
        case 1, 2: _ = try device.push(leaving: entropy.chance(50) ? 40 : 0)
        default: try RandomProgram(device: device, entropy: entropy).step()
        }
    }

    /// A page is asked for, or one that has come is applied, or a pull.
    func listOrPull(_ device: TestDevice) throws {
        switch entropy.number(below: 5) {
        case 0: try device.pull()
        case 1, 2:
            let numbers = try device.store.unlistedDirectories(limit: 100)
            guard let number = numbers.isEmpty ? nil : entropy.element(of: numbers) else { return }
            let earlier = listsAhead ? pages(of: number, device).last.map { underWay[$0].page } : nil
            guard let page = try device.askForPage(of: number, behind: earlier) else { return }
            underWay.append((device, page))
        default:
            let mine = underWay.filter { $0.device === device }.map(\.page.directory)
            if !mine.isEmpty { try take(entropy.element(of: mine), device) }
        }
    }

    private func pages(of directory: InodeNumber, _ device: TestDevice) -> [Int] {
        underWay.indices.filter { underWay[$0].device === device && underWay[$0].page.directory == directory }
    }

    /// The page of the directory that was asked for first. Where it does not count those behind it are given up.
    private func take(_ directory: InodeNumber, _ device: TestDevice) throws {
        let indices = pages(of: directory, device)
        let page = underWay.remove(at: indices[0]).page
        if try device.take(page, more: indices.count > 1) { return }
        underWay.removeAll { $0.device === device && $0.page.directory == directory }
    }

    /// Every page of the device that is still on its way.
    func takeAll(_ device: TestDevice) throws {
        while let item = underWay.first(where: { $0.device === device }) { try take(item.page.directory, device) }
    }

    func listEverything(_ device: TestDevice) throws {
        for _ in 0..<1_000 {
            guard let next = try device.store.unlistedDirectories(limit: 1).first else { return }
            if let page = try device.askForPage(of: next) { try device.take(page) }
            try device.pull()
        }
        Issue.record("seed \(seed): \(device.name) never knows everything")
    }

    /// Pulls and pushes until nothing moves; names that go up blindly are looked at first, as the daemon does.
    func settle() throws {
        for _ in 0..<60 {
            var moved = false
            for device in all {
                try device.pull()
                try device.compareAnew()
                for directory in try device.store.directoriesWithBlindNames(limit: 10)
                where !device.store.isListing(directory) {
                    try device.knowAll(directory)
                }
                for _ in 0..<100 {
                    guard try device.push() else { break }
                    moved = true
                }
            }
            if !moved { return }
        }
        let refused = all.map { "\($0.name): \($0.trace.suffix(1))" }
        Issue.record("seed \(seed): the devices never come to rest; refused last: \(refused)")
    }

    /// Where what a device knows differs from the whole tree: a known directory holds exactly what the server has, one that
    /// is known in part nothing else, and all of it as far as its listing has come.
    func difference(of device: TestDevice, from whole: TestDevice) throws -> [String] {
        var found: [String] = []
        var waiting: [(InodeNumber, InodeNumber, String)] = [(.root, .root, "")]
        while let (here, there, path) = waiting.popLast() {
            guard let node = try device.store.node(here) else { continue }
            let names = try Dictionary(
                uniqueKeysWithValues: device.store.list(here, after: 0, limit: .max).map { ($0.name, $0) })
            let others = try Dictionary(
                uniqueKeysWithValues: whole.store.list(there, after: 0, limit: .max).map { ($0.name, $0) })
            for name in Set(names.keys).union(others.keys).sorted() {
                let place = path + "/" + name.display
                guard let mine = names[name] else {
                    if try device.store.knows(name, in: node) { found.append("\(place) is missing") }
                    continue
                }
                guard let other = others[name] else {
                    found.append("\(place) is too much")
                    continue
                }
                guard let a = try device.store.node(mine.number), let b = try whole.store.node(other.number),
                    a.id == b.id,
                    a.attributes.mode == b.attributes.mode, try device.read(a) == whole.read(b)
                else {
                    found.append("\(place) differs")
                    continue
                }
                if a.kind == .directory { waiting.append((mine.number, other.number, place)) }
            }
        }
        return found
    }
}
