/// The rules of one `.dbxfsignore` file, in the syntax of gitignore(5). A value; pure.
package struct IgnoreRules: Hashable, Sendable {
    package struct Rule: Hashable, Sendable {
        /// From 1.
        package var line: Int
        /// As it stands in the file.
        package var text: [UInt8]
        /// `!`: what matches is not ignored.
        package var isNegative: Bool
        fileprivate var onlyDirectories: Bool
        /// Without a slash inside, the rule is about names at any depth.
        fileprivate var isAboutNames: Bool
        /// What has to be there letter by letter, and what follows it.
        fileprivate var prefix: [UInt8]
        fileprivate var rest: [UInt8]
    }

    package private(set) var rules: [Rule] = []

    package static let fileName = ".dbxfsignore"
    /// What is longer is no file of rules: it is not looked at.
    package static let largestFile = 1 << 20
    private static let longestLine = 4_096

    package init(_ file: [UInt8]) {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = file.starts(with: mark) ? file[3...] : file[...]
        var number = 0
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if let rule = Self.rule(Array(line), number) { rules.append(rule) }
        }
    }

    /// The last rule that matches the path, given from the file's directory; a later rule overrules an earlier one. Says
    /// nothing of the directories above the path.
    package func last(matching path: [UInt8], isDirectory: Bool) -> Rule? {
        let name = path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[($0 + 1)...]) } ?? path
        return rules.last { rule in
            if rule.onlyDirectories, !isDirectory { return false }
            return rule.matches(rule.isAboutNames ? name : path)
        }
    }

    // MARK: Parsing

    private static func rule(_ line: [UInt8], _ number: Int) -> Rule? {
        var text = line
        if text.last == UInt8(ascii: "\r") { text.removeLast() }
        guard let first = text.first, first != UInt8(ascii: "#"), text.count <= longestLine else { return nil }
        text = withoutTrailingSpaces(text)
        var pattern = text
        let isNegative = pattern.first == UInt8(ascii: "!")
        if isNegative { pattern.removeFirst() }
        let onlyDirectories = pattern.last == UInt8(ascii: "/")
        if onlyDirectories { pattern.removeLast() }
        let isAboutNames = !pattern.contains(UInt8(ascii: "/"))
        if pattern.first == UInt8(ascii: "/") { pattern.removeFirst() }
        guard !pattern.isEmpty else { return nil }
        let literal = pattern.firstIndex { Array("*?[\\".utf8).contains($0) } ?? pattern.count
        return Rule(
            line: number, text: text, isNegative: isNegative, onlyDirectories: onlyDirectories,
            isAboutNames: isAboutNames, prefix: Array(pattern[..<literal]), rest: Array(pattern[literal...]))
    }

    /// Spaces at the end do not count unless a backslash stands before them.
    private static func withoutTrailingSpaces(_ text: [UInt8]) -> [UInt8] {
        var end: Int?
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: " "):
                if end == nil { end = index }
            case UInt8(ascii: "\\"):
                index += 1
                if index == text.count { return text }
                end = nil
            default:
                end = nil
            }
            index += 1
        }
        return Array(text[..<(end ?? text.count)])
    }
}

extension IgnoreRules.Rule {
    fileprivate func matches(_ path: [UInt8]) -> Bool {
        guard path.starts(with: prefix) else { return false }
        return rest.isEmpty ? path.count == prefix.count : Wildmatch.matches(rest, Array(path[prefix.count...]))
    }
}
