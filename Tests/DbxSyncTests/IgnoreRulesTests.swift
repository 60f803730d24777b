import DbxModel
import DbxTestKit
import Foundation
import Testing

@testable import DbxSync

/// `.dbxfsignore` means what `.gitignore` means: git is asked.
struct IgnoreRulesTests {
    private struct Tree {
        var directories: [String] = [""]
        var files: [String] = []
        /// The rules of a directory, by its path.
        var rules: [String: String] = [:]
    }

    @Test(.timeLimit(.minutes(2)))
    func `random rules give git's answers on random paths`() throws {
        var decided = 0
        for seed in testSeeds(25) {
            let random = SeededEntropy(seed: seed)
            let tree = Self.randomTree(random)
            let ours = Self.answers(tree)
            let gits = try Self.gitsAnswers(tree)
            try #require(gits.count == tree.directories.count - 1 + tree.files.count)
            decided += gits.values.count { $0 != "-" }
            for (path, answer) in gits where ours[path] != answer {
                Issue.record(
                    "seed \(seed), “\(path)”: git says \(answer), we \(ours[path] ?? "nothing"); \(tree.rules)")
                return
            }
        }
        #expect(decided > 100)
    }

    // MARK: Ours

    /// Of each path the deciding rule, `DIRECTORY:LINE`, or `-`.
    private static func answers(_ tree: Tree) -> [String: String] {
        let parsed = tree.rules.mapValues { IgnoreRules(Array($0.utf8)) }
        var result: [String: String] = [:]
        for path in tree.directories.dropFirst() { result[path] = answer(path, isDirectory: true, parsed) }
        for path in tree.files { result[path] = answer(path, isDirectory: false, parsed) }
        return result
    }

    private static func answer(_ path: String, isDirectory: Bool, _ rules: [String: IgnoreRules]) -> String {
        let parts = path.split(separator: "/").map { Array($0.utf8) }
        let directories = (0..<parts.count).map { depth in
            rules[parts[..<depth].map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")]
        }
        guard let match = IgnoreMatch.decide(parts, isDirectory: isDirectory, rules: directories) else { return "-" }
        let directory = parts[..<match.depth].map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
        return "\(directory):\(match.rule.line)"
    }

    // MARK: git's

    private static func gitsAnswers(_ tree: Tree) throws -> [String: String] {
        let directory = TemporaryDirectory()
        let manager = FileManager.default
        for path in tree.directories {
            try manager.createDirectory(atPath: directory.path + "/" + path, withIntermediateDirectories: true)
        }
        for path in tree.files { try Data().write(to: URL(fileURLWithPath: directory.path + "/" + path)) }
        for (path, text) in tree.rules {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/\(path)/.gitignore"))
        }
        let paths = (tree.directories.dropFirst() + tree.files).joined(separator: "\0") + "\0"
        try Data(paths.utf8).write(to: URL(fileURLWithPath: directory.path + "/.paths"))
        let output = try Shell.script(
            """
            git init -q . 2>/dev/null
            git -c core.excludesFile=/dev/null check-ignore -v -n -z --no-index --stdin < .paths | tr '\\0' '\\n' || true
            """, in: directory.path)
        var lines = output.components(separatedBy: "\n")[...]
        var result: [String: String] = [:]
        while lines.count >= 4 {
            let record = lines.prefix(4).map { String($0) }
            lines = lines.dropFirst(4)
            let directory = record[0].hasSuffix("/.gitignore") ? String(record[0].dropLast(11)) : ""
            result[record[3]] = record[0].isEmpty ? "-" : "\(directory):\(record[1])"
        }
        return result
    }

    // MARK: Random trees

    private static let names = ["a", "b", "ab", "a.o", "b.o", "build", "A", "a b", "x-y", "!a", "#b", "1", "a]"]
    private static let pieces = [
        "a", "b", "ab", ".o", "build", "A", "*", "*", "**", "?", "/", "/", "/", "[ab]", "[!a]", "[^b]", "[a-c]",
        "[[:alpha:]]",
        "[[:digit:]x]", "[]a]", "[a", "\\a", "\\*", "\\", " ", "\\ ", "#", "!", "x-y", "[x-]", "[[:nope:]]", "**/",
        "/**",
        "\t", "[\\]a]", "1",
    ]

    private static func randomTree(_ random: SeededEntropy) -> Tree {
        var tree = Tree()
        for _ in 0..<12 {
            let parent = random.element(of: tree.directories)
            let path = parent + (parent.isEmpty ? "" : "/") + random.element(of: names)
            if !tree.directories.contains(path), path.count < 40 { tree.directories.append(path) }
        }
        for _ in 0..<40 {
            let parent = random.element(of: tree.directories)
            let path = parent + (parent.isEmpty ? "" : "/") + random.element(of: names)
            if !tree.directories.contains(path), !tree.files.contains(path) { tree.files.append(path) }
        }
        for directory in tree.directories where directory.isEmpty || random.chance(25) {
            tree.rules[directory] = (0..<random.number(in: 1..<7)).map { _ in pattern(random) }
                .joined(separator: random.element(of: ["\n", "\n", "\r\n"]))
        }
        return tree
    }

    private static func pattern(_ random: SeededEntropy) -> String {
        let isNegative = random.chance(20)
        let body = (0..<random.number(in: 1..<6)).map { _ in random.element(of: pieces) }
        return (isNegative ? "!" : "") + body.joined()
    }
}
