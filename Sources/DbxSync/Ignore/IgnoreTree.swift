package import DbxLocalStore
package import DbxModel

/// All rules of a mount, by directory. A value; to be asked with the store's lock held.
package struct IgnoreTree: Sendable {
    private let rules: [InodeNumber: IgnoreRules]

    package init(_ files: [RuleFile] = []) {
        var rules: [InodeNumber: IgnoreRules] = [:]
        for file in files {
            let parsed = IgnoreRules(file.body)
            if !parsed.rules.isEmpty { rules[file.directory] = parsed }
        }
        self.rules = rules
    }

    package var isEmpty: Bool { rules.isEmpty }

    /// The rule that decides about a name, with the directory whose file it stands in; nil where none speaks of it.
    package func match(
        _ name: Name, in parent: InodeNumber, isDirectory: Bool, store: LocalStore
    ) throws(StoreError) -> (match: IgnoreMatch, directory: InodeNumber)? {
        guard !rules.isEmpty else { return nil }
        var names = [name.bytes]
        var directories = [parent]
        while let current = directories.last, current != .root {
            guard let above = try store.entries(of: current).first, names.count < 4_096 else { return nil }
            names.append(above.name.bytes)
            directories.append(above.parent)
        }
        names.reverse()
        directories.reverse()
        let match = IgnoreMatch.decide(names, isDirectory: isDirectory, rules: directories.map { rules[$0] })
        return match.map { ($0, directories[$0.depth]) }
    }
}
