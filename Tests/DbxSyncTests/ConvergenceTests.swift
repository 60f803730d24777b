import DbxLocalStore
import DbxModel
import DbxSync
import DbxTestKit
import Testing

/// Random programs on several devices against a real server core, with pulls, pushes and lost answers in any order.
@Suite("Devices that work on one tree")
struct ConvergenceTests {
    @Test("converge, and a new device sees the same tree", .timeLimit(.minutes(5)), arguments: testSeeds(60))
    func converge(seed: UInt64) throws {
        let entropy = SeededEntropy(seed: seed)
        let server = try TestServer(time: FakeTime())
        let pool = BlockPool()
        let devices = try ["red", "green", "blue"].map {
            try TestDevice($0, on: server, blocks: pool, entropy: entropy)
        }
        for _ in 0..<60 {
            let device = devices[entropy.number(below: devices.count)]
            switch entropy.number(below: 10) {
            case 0: try device.pull()
            case 1:
                _ = try device.push(losingAnswer: entropy.chance(30), leaving: entropy.chance(50) ? 40 : 0) {
                    for _ in 0..<entropy.number(below: 6) {
                        try RandomProgram(device: device, entropy: entropy).step()
                    }
                }
            default: try RandomProgram(device: device, entropy: entropy).step()
            }
        }
        try settle(devices, seed: seed)
        let fresh = try TestDevice("fresh", on: server, blocks: pool, entropy: entropy)
        try fresh.pull()
        let expected = try fresh.tree()
        for device in devices {
            let shown = try device.tree()
            let differing = Set(shown.keys).union(expected.keys).filter { shown[$0] != expected[$0] }.sorted()
            let report = differing.map { "\($0): here \(shown[$0] ?? "-"), there \(expected[$0] ?? "-")" }
            #expect(report.isEmpty, "seed \(seed), \(device.name)")
            let pending = try device.store.dirtyNodes(limit: 5, afterChange: 0).filter { !$0.isOrphan }
            #expect(pending.isEmpty, "seed \(seed), \(device.name)")
            #expect(try device.store.pendingSummary().files == 0, "seed \(seed), \(device.name)")
        }
    }

    @Test("times that are set between the upload of a content and its commit are everybody's")
    func timesAfterUpload() throws {
        let server = try TestServer(time: FakeTime())
        let pool = BlockPool()
        let devices = try ["red", "green"].map {
            try TestDevice($0, on: server, blocks: pool, entropy: SeededEntropy(seed: 1))
        }
        let (red, green) = (devices[0], devices[1])
        try ScriptedProgram(device: red).run("make f content")
        let name = Name("f")!
        let number = try #require(try red.store.lookup(.root, name)).number
        let times = (1...3).map { Timestamp(nanoseconds: $0) }
        func setTime(_ time: Timestamp) throws {
            _ = try red.store.setAttributes(number, AttributeUpdate(mtime: time), now: red.moment())
        }
        func expect(_ time: Timestamp) throws {
            while try red.push() {}
            try green.pull()
            try red.pull()
            for device in devices { #expect(try device.store.lookup(.root, name)?.attributes.mtime == time) }
        }
        _ = try red.push(onceUploaded: { try setTime(times[0]) })
        try expect(times[0])
        // Set before the answer, so that the time goes up by itself.
        try ScriptedProgram(device: red).run("edit f other")
        _ = try red.push(onceUploaded: { try setTime(times[1]) }, meanwhile: { try setTime(times[2]) })
        try expect(times[2])
    }

    @Test("directories that were removed while the commit that makes them is under way are gone everywhere")
    func removedMeanwhile() throws {
        let server = try TestServer(time: FakeTime())
        let device = try TestDevice("red", on: server, blocks: BlockPool(), entropy: SeededEntropy(seed: 1))
        let name = Name("d")!
        var path: [InodeNumber] = [.root]
        for _ in 0..<3 {
            let new = NewNode(kind: .directory, mode: 0o755)
            path.append(try device.store.create(new, in: path[path.count - 1], name, now: device.moment()).number)
        }
        func removeAll() throws {
            for parent in path.dropLast().reversed() where try device.store.lookup(parent, name) != nil {
                let gone = try device.store.unlink(parent, name, now: device.moment())
                try device.store.removeOrphan(gone.number)
            }
        }
        for _ in 0..<20 where try !device.push(meanwhile: removeAll) { break }
        #expect(device.trace == [])
        let fresh = try TestDevice("fresh", on: server, blocks: BlockPool(), entropy: SeededEntropy(seed: 2))
        #expect(try fresh.tree() == [:])
        #expect(try device.store.pendingSummary().files == 0)
    }

    @Test("a name that goes up before its new file's content stays a change until the content has followed")
    func nameBeforeContent() throws {
        let server = try TestServer(time: FakeTime())
        let pool = BlockPool()
        let device = try TestDevice("red", on: server, blocks: pool, entropy: SeededEntropy(seed: 1))
        let program = RandomProgram(device: device, entropy: SeededEntropy(seed: 2))
        let (name, other) = (Name("a")!, Name("b")!)
        func makeFile() throws {
            let file = NewNode(kind: .file, mode: 0o644)
            let node = try device.store.create(file, in: .root, name, now: device.moment())
            try program.write(node.number, at: 0)
        }
        func pushAll(leaving: Int) throws { for _ in 0..<20 where try !device.push(leaving: leaving) { break } }
        try makeFile()
        try pushAll(leaving: 0)
        _ = try device.store.rename(
            from: .root, name, to: .root, other, mode: .noReplace, now: device.moment())
        try makeFile()
        try pushAll(leaving: 100)
        try pushAll(leaving: 0)
        let fresh = try TestDevice("fresh", on: server, blocks: pool, entropy: SeededEntropy(seed: 3))
        #expect(try fresh.tree() == device.tree())
        #expect(try fresh.tree().count == 2)
    }

    private func settle(_ devices: [TestDevice], seed: UInt64) throws {
        for _ in 0..<40 {
            var moved = false
            for device in devices {
                try device.pull()
                for _ in 0..<100 {
                    guard try device.push() else { break }
                    moved = true
                }
            }
            if !moved { return }
        }
        let refused = devices.map { "\($0.name): \($0.trace.suffix(1))" }
        Issue.record("seed \(seed): the devices never come to rest; refused last: \(refused)")
    }
}

/// One random operation of a program, as the file system would carry it out.
struct RandomProgram {
    let device: TestDevice
    let entropy: SeededEntropy
    private var store: LocalStore { device.store }

    func step() throws {
        var directories = try all(.directory)
        let parent = some(directories) ?? .root
        let name = Name("n\(entropy.number(below: 5))")!
        try device.know(name, in: parent)
        directories = try all(.directory)
        guard directories.contains(parent) else { return }
        let files = try all(.file)
        let now = device.moment()
        switch entropy.number(below: 12) {
        case 0, 1:
            if try isFree(parent, name) {
                _ = try store.create(NewNode(kind: .directory, mode: 0o755), in: parent, name, now: now)
            }
        case 2, 3, 4:
            guard try isFree(parent, name) else { return }
            let node = try store.create(NewNode(kind: .file, mode: 0o644), in: parent, name, now: now)
            if entropy.chance(80) { try write(node.number, at: 0) }
        case 5: if let file = some(files) { try write(file, at: Int64(entropy.number(below: 20))) }
        case 6: if let file = some(files) { try store.truncate(file, to: Int64(entropy.number(below: 12)), now: now) }
        case 7:
            if let file = some(files) {
                _ = try store.setAttributes(
                    file, AttributeUpdate(mode: UInt16(entropy.number(below: 0o1000))), now: now)
            }
        case 8: try unlink(parent, name)
        case 9, 10: try rename(from: parent, name, to: some(directories) ?? .root)
        default:
            if let file = some(files), try isFree(parent, name) { _ = try store.link(file, in: parent, name, now: now) }
        }
    }

    private func some(_ numbers: [InodeNumber]) -> InodeNumber? { numbers.isEmpty ? nil : entropy.element(of: numbers) }

    private func isFree(_ parent: InodeNumber, _ name: Name) throws -> Bool { try store.lookup(parent, name) == nil }

    func write(_ file: InodeNumber, at offset: Int64) throws {
        let bytes = Array("\(device.name)\(entropy.number(below: 1_000))".utf8)
        let range = try store.reserveStaging(file, offset: offset, length: Int64(bytes.count))
        try store.segments.write(bytes, at: range.location)
        _ = try store.recordWrite(file, offset: offset, length: Int64(bytes.count), range: range, now: device.moment())
    }

    private func unlink(_ parent: InodeNumber, _ name: Name) throws {
        guard let node = try store.lookup(parent, name) else { return }
        if node.kind == .directory, try !isEmpty(node.number) { return }
        guard try store.lookup(parent, name)?.number == node.number else { return }
        let left = try store.unlink(parent, name, now: device.moment())
        if left.isOrphan { try store.removeOrphan(left.number) }
    }

    private func rename(from parent: InodeNumber, _ name: Name, to target: InodeNumber) throws {
        let newName = Name("n\(entropy.number(below: 5))")!
        try device.know(newName, in: target)
        if let old = try store.lookup(target, newName), old.kind == .directory { try device.knowAll(old.number) }
        let directories = try all(.directory)
        guard directories.contains(parent), directories.contains(target) else { return }
        guard let node = try store.lookup(parent, name) else { return }
        if node.kind == .directory, try store.isAncestor(node.number, of: target) { return }
        let old = try store.lookup(target, newName)
        if let old {
            if (old.kind == .directory) != (node.kind == .directory) { return }
            if old.kind == .directory, try !store.isEmpty(old.number) { return }
        }
        let mode: RenameMode = old != nil && entropy.chance(20) ? .exchange : .replace
        if mode == .exchange, let old, old.kind == .directory, try store.isAncestor(old.number, of: parent) { return }
        let gone = try store.rename(
            from: parent, name, to: target, newName, mode: mode, now: device.moment())
        if let gone, gone.isOrphan { try store.removeOrphan(gone.number) }
    }

    private func isEmpty(_ directory: InodeNumber) throws -> Bool {
        try device.knowAll(directory)
        return try store.isEmpty(directory)
    }

    /// Every node of a kind that has a name.
    private func all(_ kind: NodeKind) throws -> [InodeNumber] {
        var found: [InodeNumber] = kind == .directory ? [.root] : []
        var rest: [InodeNumber] = [.root]
        while let directory = rest.popLast() {
            for entry in try store.list(directory, after: 0, limit: .max) {
                if entry.kind == kind { found.append(entry.number) }
                if entry.kind == .directory { rest.append(entry.number) }
            }
        }
        return found
    }
}
