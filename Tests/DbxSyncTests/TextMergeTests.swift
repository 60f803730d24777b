import DbxLocalStore
import DbxSync
import DbxTestKit
import Foundation
import Testing

/// The pure part of merging, held to what it promises on random texts.
@Suite("Merging texts")
struct TextMergeTests {
    private func merge(_ base: String, _ ours: String, _ theirs: String) -> String {
        switch TextMerge.merge(base: Array(base.utf8), ours: Array(ours.utf8), theirs: Array(theirs.utf8)) {
        case .merged(let text): String(decoding: text, as: UTF8.self)
        case .notMerged(let obstacle): "(\(obstacle.rawValue))"
        }
    }

    private func lines(_ text: String) -> String { text.map { "\($0)\n" }.joined() }

    @Test(
        "takes what each side changed",
        arguments: [
            // base, ours, theirs, merged; a letter is a line.
            ("abcde", "Abcde", "abcdE", "AbcdE"), ("abcde", "bcde", "abcd", "bcd"),
            ("abcde", "xabcde", "abcdey", "xabcdey"),
            ("abcde", "abXcde", "abcdYe", "abXcdYe"), ("abcde", "Abcde", "abcde", "Abcde"), ("abcde", "abcde", "", ""),
            // Both the same, once, beside what else they did.
            ("abcde", "aXcde", "aXcde", "aXcde"), ("abcdefg", "aXcdefG", "aXcdEfg", "aXcdEfG"),
            ("abcdefgh", "aXcdefgH", "aXcdEfgh", "aXcdEfgH"), ("", "x", "x", "x"),
            // The same lines, or lines with no common one between them.
            ("abcde", "aXcde", "aYcde", "(overlap)"), ("abcde", "aXcde", "abYde", "(overlap)"),
            ("abcde", "aXcde", "acde", "(overlap)"), ("abcde", "abcdex", "abcdey", "(overlap)"),
            ("", "x", "y", "(overlap)"), ("abcde", "", "abXde", "(overlap)"), ("abc", "aXbc", "aYbc", "(overlap)"),
            ("abcde", "aXbcde", "abcYde", "aXbcYde"),
        ])
    func cases(base: String, ours: String, theirs: String, expected: String) {
        let merged = expected.hasPrefix("(") ? expected : lines(expected)
        #expect(merge(lines(base), lines(ours), lines(theirs)) == merged)
        #expect(merge(lines(base), lines(theirs), lines(ours)) == merged)
    }

    @Test("keeps ends of lines and a last line without one")
    func ends() {
        #expect(merge("a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\r\nb\r\nC\r\n") == "A\r\nb\r\nC\r\n")
        #expect(merge("a\nb\nc", "A\nb\nc", "a\nb\nC") == "A\nb\nC")
        #expect(merge("a\nb\nc", "A\nb\nc", "a\nb\nc\n") == "A\nb\nc\n")
        // What one side puts behind it begins by ending it.
        #expect(merge("a\nb\nc", "A\nb\nc", "a\nb\nc\nd") == "A\nb\nc\nd")
        #expect(merge("a\nb\nc", "a\nb\nc\n", "a\nb\nC") == "(overlap)")
        // Another kind of end is another line.
        #expect(merge("a\nb\nc\n", "a\r\nb\r\nc\r\n", "a\nb\nC\n") == "(overlap)")
    }

    @Test("leaves alone what is no text, or too large")
    func others() {
        #expect(merge("a\n", "a\0\n", "b\n") == "(no-text)")
        let odd: [UInt8] = [0xFF, 0xFE, 0x0A]
        #expect(TextMerge.merge(base: odd, ours: [0x61], theirs: odd) == .notMerged(.noText))
        let large = [UInt8](repeating: 0x61, count: TextMerge.largestBytes + 1)
        #expect(TextMerge.merge(base: [], ours: large, theirs: []) == .notMerged(.large))
        let most = [UInt8](repeating: 0x61, count: TextMerge.largestBytes)
        #expect(TextMerge.merge(base: [], ours: most, theirs: []) == .merged(most))
    }

    // MARK: Random texts

    /// Lines of few kinds, so that many are alike.
    private func text(_ entropy: SeededEntropy, of kinds: Int) -> [String] {
        (0..<entropy.number(below: 30)).map { _ in "line \(entropy.number(below: kinds))\n" }
    }

    /// Takes some lines out and puts some in; those that are put in bear a mark.
    private func edited(_ text: [String], _ entropy: SeededEntropy, mark: String) -> [String] {
        var result: [String] = []
        for (index, line) in text.enumerated() {
            if entropy.chance(8) { result.append("\(mark) \(index)\n") }
            if !entropy.chance(8) { result.append(line) }
        }
        return result
    }

    @Test("obeys its laws", arguments: testSeeds(600))
    func laws(seed: UInt64) {
        let entropy = SeededEntropy(seed: seed)
        let base = text(entropy, of: 1 + entropy.number(below: 40))
        let (ours, theirs) = (edited(base, entropy, mark: "ours"), edited(base, entropy, mark: "theirs"))
        let (b, a, c) = (base.joined(), ours.joined(), theirs.joined())
        #expect(merge(b, a, b) == a)
        #expect(merge(b, b, c) == c)
        #expect(merge(b, a, a) == a)
        let merged = merge(b, a, c)
        #expect(merge(b, c, a) == merged)
        guard merged != "(overlap)" else { return }
        // Every line that either side has put in is there, in its order, and none that neither has.
        let result = merged.split(separator: "\n").map { String($0) + "\n" }
        for (mark, side) in [("ours", ours), ("theirs", theirs)] {
            #expect(result.filter { $0.hasPrefix(mark) } == side.filter { $0.hasPrefix(mark) })
        }
        func count(_ lines: [String]) -> [String: Int] { lines.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
        let (inBase, inOurs, inTheirs) = (count(base), count(ours), count(theirs))
        for (line, number) in count(result) where !line.hasPrefix("ours") && !line.hasPrefix("theirs") {
            let (had, mine, other) = (inBase[line] ?? 0, inOurs[line] ?? 0, inTheirs[line] ?? 0)
            // Lines taken out by both, each once or the same once.
            #expect((mine + other - had...min(mine, other)).contains(number), "\(line)")
        }
    }

    @Test("always merges what was changed in different places", arguments: testSeeds(300))
    func disjoint(seed: UInt64) {
        let entropy = SeededEntropy(seed: seed)
        // Lines that are all different: then it is beyond doubt which one was changed.
        let base = (0..<4 + entropy.number(below: 60)).map { "line \($0)\n" }
        var (ours, theirs, both) = (base, base, base)
        var isFree = true
        for index in base.indices {
            // A line that neither changes stands between any two changes.
            guard isFree, entropy.chance(40) else {
                isFree = true
                continue
            }
            isFree = false
            let change = ["", "changed \(index)\n", base[index] + "new \(index)\n"][entropy.number(below: 3)]
            both[index] = change
            if entropy.chance(50) { ours[index] = change } else { theirs[index] = change }
            if entropy.chance(10) { (ours[index], theirs[index]) = (change, change) }
        }
        #expect(merge(base.joined(), ours.joined(), theirs.joined()) == both.joined())
        // Done again with what came of it, it changes nothing.
        #expect(merge(base.joined(), ours.joined(), both.joined()) == both.joined())
    }

    @Test("gives git's answer wherever it gives one")
    func likeGit() throws {
        let directory = TemporaryDirectory()
        var merged = 0
        for seed in testSeeds(150) {
            let entropy = SeededEntropy(seed: seed)
            let base = (0..<entropy.number(below: 25)).map { "line \($0)\n" }
            let texts = [edited(base, entropy, mark: "ours"), base, edited(base, entropy, mark: "theirs")].map {
                $0.joined()
            }
            for (name, text) in zip(["ours", "base", "theirs"], texts) {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/\(name)"))
            }
            let git = try Shell.run(["git", "merge-file", "-p", "-q", "ours", "base", "theirs"], in: directory.path)
            let ours = merge(texts[1], texts[0], texts[2])
            guard ours != "(overlap)" else { continue }
            merged += 1
            #expect(git.code == 0 && git.text == ours, "seed \(seed)")
        }
        #expect(merged >= 20, "\(merged)")
    }

    @Test("ends soon on large texts without anything to hold on to", .timeLimit(.minutes(1)))
    func large() {
        let entropy = SeededEntropy(seed: 7)
        func noise(_ kinds: Int) -> [UInt8] {
            (0..<TextMerge.largestBytes / 2).flatMap { _ in [UInt8(97 + entropy.number(below: kinds)), 0x0A] }
        }
        let (base, other) = (noise(3), noise(3))
        #expect(TextMerge.merge(base: base, ours: other, theirs: noise(3)) == .notMerged(.overlap))
        // Changed at both ends, it is merged all the same.
        let part = Array(base.prefix(100_000))
        let ours = Array("first\n".utf8) + part.dropFirst(100)
        let theirs = Array(part.dropLast(100)) + Array("last\n".utf8)
        let both = Array("first\n".utf8) + part.dropFirst(100).dropLast(100) + Array("last\n".utf8)
        #expect(TextMerge.merge(base: part, ours: ours, theirs: theirs) == .merged(both))
    }
}
