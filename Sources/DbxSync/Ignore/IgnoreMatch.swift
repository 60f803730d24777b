/// The rule that decides about a path, and where its file lies: `depth` names below the mounted directory. A value.
package struct IgnoreMatch: Hashable, Sendable {
    package var depth: Int
    package var rule: IgnoreRules.Rule

    package var isIgnored: Bool { !rule.isNegative }

    /// Decides about a path of `names`, of whose directories `rules` holds the rules, the mounted directory's first; nil
    /// where no rule speaks of it. As gitignore(5) has it: the nearest file counts first and in it the last rule that
    /// matches, but what lies in an ignored directory is ignored whatever is said of it.
    package static func decide(
        _ names: [[UInt8]], isDirectory: Bool, rules: [IgnoreRules?]
    ) -> IgnoreMatch? {
        guard rules.contains(where: { $0 != nil }) else { return nil }
        var last: IgnoreMatch?
        for end in 1..<(names.count + 1) {
            last = nearest(names[..<end], isDirectory: isDirectory || end < names.count, rules: rules)
            if let last, last.isIgnored { return last }
        }
        return last
    }

    private static func nearest(
        _ names: ArraySlice<[UInt8]>, isDirectory: Bool, rules: [IgnoreRules?]
    ) -> IgnoreMatch? {
        for depth in (0..<names.count).reversed() {
            guard depth < rules.count, let file = rules[depth] else { continue }
            let path = Array(names[depth...].joined(separator: [UInt8(ascii: "/")]))
            if let rule = file.last(matching: path, isDirectory: isDirectory) {
                return IgnoreMatch(depth: depth, rule: rule)
            }
        }
        return nil
    }
}
