import DbxLocalStore
import DbxModel
import DbxSync
import DbxTestKit
import Foundation
import Testing

/// docs/SYNC.md is the specification: every line of its tables is carried out.
@Suite("The conflict table")
struct MatrixTests {
    struct Line: CustomTestStringConvertible, Sendable {
        var here: String
        var there: String
        var expected: [String]
        var isRacing: Bool
        var testDescription: String { "\(here) | \(there)\(isRacing ? ", racing" : "")" }
    }

    /// The lines of the table under a heading, each offline and racing.
    static func lines(under heading: String) -> [Line] {
        let path = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../docs/SYNC.md").standardizedFileURL
        let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        let section = text.components(separatedBy: "\n## ").first { $0.hasPrefix(heading + "\n") } ?? ""
        return section.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row -> [Line] in
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
            return [false, true].map {
                Line(
                    here: cells[0], there: cells[1], expected: cells[2].split(separator: " ").map(String.init),
                    isRacing: $0)
            }
        }
    }

    @Test("has lines")
    func isFound() {
        #expect(Self.lines(under: "The table").count >= 120)
        #expect(Self.lines(under: "Last write wins").count >= 20)
    }

    @Test("is what the code does", .timeLimit(.minutes(1)), arguments: lines(under: "The table"))
    func keepBoth(line: Line) throws { try check(line, policy: .keepBoth) }

    @Test(
        "with the last write winning is what the code does", .timeLimit(.minutes(1)),
        arguments: lines(under: "Last write wins"))
    func lastWriteWins(line: Line) throws { try check(line, policy: .lastWriteWins) }

    private func check(_ line: Line, policy: ConflictPolicy) throws {
        let server = try TestServer(time: FakeTime())
        let pool = BlockPool()
        let here = try TestDevice("here", on: server, blocks: pool, entropy: SeededEntropy(seed: 1))
        let there = try TestDevice("there", on: server, blocks: pool, entropy: SeededEntropy(seed: 2))
        here.policy = policy
        there.policy = policy
        let base = try begin(here, there)
        let scripts = [(there, line.there), (here, line.here)]
        for (device, script) in line.there.hasPrefix("later") ? scripts.reversed() : scripts {
            try ScriptedProgram(device: device).run(script)
        }
        try settle(there)
        if line.isRacing { _ = try here.push() } else { try here.pull() }
        for device in [here, there, here, there] {
            try device.pull()
            try settle(device)
        }
        let fresh = try TestDevice("fresh", on: server, blocks: pool, entropy: SeededEntropy(seed: 3))
        for device in [here, there, fresh] {
            let shown = try ScriptedProgram(device: device).tree()
            #expect(
                Self.difference(base, shown) == line.expected.sorted(), "\(device.name): \(here.trace) \(there.trace)")
            #expect(try device.store.pendingSummary().files == 0, "\(device.name)")
        }
        #expect(here.trace.count + there.trace.count <= (line.isRacing ? 2 : 1))
        // What was kept twice is listed where that was done, and nowhere else.
        let copies = line.expected.filter { $0.contains("~") && !$0.contains("~/") || $0.hasSuffix("~/") }.count
        #expect(try OpenConflict.all(in: here.store).count == copies)
        #expect(try OpenConflict.all(in: there.store).isEmpty)
    }

    private func begin(_ here: TestDevice, _ there: TestDevice) throws -> [String: String] {
        let program = ScriptedProgram(device: here)
        try program.run("make f base; make g other; mkdir d; make d/k kept; mkdir h")
        try settle(here)
        try here.pull()
        try there.pull()
        return try program.tree()
    }

    private func settle(_ device: TestDevice) throws {
        for _ in 0..<50 where try !device.push() { return }
        Issue.record("\(device.name) never comes to rest: \(device.trace)")
    }

    private static func difference(_ before: [String: String], _ after: [String: String]) -> [String] {
        let changed = after.filter { before[$0.key] != $0.value }.map { $0.key + $0.value }
        let gone = before.keys.filter { after[$0] == nil }.map { "-" + $0 }
        return (changed + gone).sorted()
    }
}

/// Runs the words of docs/SYNC.md on a device, as the file system would carry them out.
struct ScriptedProgram {
    let device: TestDevice
    private var store: LocalStore { device.store }

    init(device: TestDevice) { self.device = device }

    func run(_ script: String) throws {
        for step in script.split(separator: ";") {
            let words = step.split(separator: " ").map(String.init)
            try run(words[0], Array(words.dropFirst()))
        }
    }

    private func run(_ action: String, _ words: [String]) throws {
        switch action {
        case "nothing": break
        case "later": device.time.advance(by: .seconds(60))
        case "edit": try edit(words[0], words.count > 1 ? words[1] : device.name)
        case "restore": try edit(words[0], "old")
        case "save": try save(words[0], words.count > 1 ? words[1] : device.name)
        case "make": _ = try make(words[0], words.count > 1 ? words[1] : device.name)
        case "mkdir": _ = try create(words[0], NewNode(kind: .directory, mode: 0o755))
        case "symlink": _ = try create(words[0], NewNode(kind: .symlink, mode: 0o777, target: Array("target".utf8)))
        case "delete": try delete(words[0])
        case "rmtree": try removeTree(words[0])
        case "move": try move(words[0], words[1])
        case "link":
            let (parent, name) = try place(words[1])
            _ = try store.link(try node(words[0]).number, in: parent, name, now: device.moment())
        case "mode": try set(words[0], AttributeUpdate(mode: UInt16(words[1], radix: 8)))
        case "xattr":
            let known = try node(words[0]).attributes.extendedAttributes
            let new = ExtendedAttribute(name: Array("user.\(device.name)".utf8), value: [1])
            try set(words[0], AttributeUpdate(extendedAttributes: known + [new]))
        default: Issue.record("there is no action “\(action)”")
        }
    }

    // MARK: Actions

    private func place(_ path: String) throws -> (InodeNumber, Name) {
        let parts = path.split(separator: "/").map(String.init)
        let above = Array(parts.dropLast().joined(separator: "/").utf8)
        let parent = try #require(try TreePath.node(at: above, in: store))
        return (parent.number, try #require(Name(parts[parts.count - 1])))
    }

    private func node(_ path: String) throws -> LocalNode {
        try #require(try TreePath.node(at: Array(path.utf8), in: store), "\(path)")
    }

    private func create(_ path: String, _ new: NewNode) throws -> LocalNode {
        let (parent, name) = try place(path)
        return try store.create(new, in: parent, name, now: device.moment())
    }

    private func make(_ path: String, _ content: String) throws -> LocalNode {
        let node = try create(path, NewNode(kind: .file, mode: 0o644))
        try write(node.number, content)
        return node
    }

    private func write(_ file: InodeNumber, _ content: String) throws {
        let bytes = Array(content.utf8)
        let range = try store.reserveStaging(file, offset: 0, length: Int64(bytes.count))
        try store.segments.write(bytes, at: range.location)
        _ = try store.recordWrite(file, offset: 0, length: Int64(bytes.count), range: range, now: device.moment())
    }

    private func edit(_ path: String, _ content: String) throws {
        let file = try node(path).number
        _ = try store.truncate(file, to: 0, now: device.moment())
        try write(file, content)
    }

    private func save(_ path: String, _ content: String) throws {
        _ = try make(path + ".tmp", content)
        try move(path + ".tmp", path)
    }

    private func delete(_ path: String) throws {
        let (parent, name) = try place(path)
        let left = try store.unlink(parent, name, now: device.moment())
        if left.isOrphan { try store.removeOrphan(left.number) }
    }

    private func removeTree(_ path: String) throws {
        for entry in try store.list(try node(path).number, after: 0, limit: .max) {
            let below = path + "/" + entry.name.display
            if entry.kind == .directory { try removeTree(below) } else { try delete(below) }
        }
        try delete(path)
    }

    private func move(_ path: String, _ target: String) throws {
        let (from, to) = (try place(path), try place(target))
        let gone = try store.rename(from: from.0, from.1, to: to.0, to.1, mode: .replace, now: device.moment())
        if let gone, gone.isOrphan { try store.removeOrphan(gone.number) }
    }

    private func set(_ path: String, _ update: AttributeUpdate) throws {
        _ = try store.setAttributes(try node(path).number, update, now: device.moment())
    }

    // MARK: What it shows

    /// By path, in the words of the tables.
    func tree() throws -> [String: String] {
        var result: [String: String] = [:]
        try walk(.root, "", into: &result)
        return result
    }

    private func walk(_ directory: InodeNumber, _ above: String, into result: inout [String: String]) throws {
        for entry in try store.list(directory, after: 0, limit: .max) {
            let node = try #require(try store.node(entry.number))
            let path = above + Self.shown(entry.name.display)
            switch node.kind {
            case .directory:
                result[path + "/"] = ""
                try walk(node.number, path + "/", into: &result)
            case .symlink: result[path] = "->" + String(decoding: node.target ?? [], as: UTF8.self)
            default:
                let names = node.attributes.extendedAttributes.map {
                    "+" + String(decoding: $0.name.dropFirst(5), as: UTF8.self)
                }
                let mode = node.attributes.mode == 0o644 ? "" : ":" + String(node.attributes.mode, radix: 8)
                let content = String(decoding: try device.read(node), as: UTF8.self)
                result[path] = "=\(content)\(mode)\(names.joined())"
            }
        }
    }

    private static func shown(_ name: String) -> String {
        guard let mark = name.range(of: " (conflicted copy from ") else { return name }
        return String(name[..<mark.lowerBound]) + "~"
    }
}
