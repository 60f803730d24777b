import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
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
