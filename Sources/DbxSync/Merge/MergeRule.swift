package import DbxLocalStore
import DbxModel

/// Where texts are merged: an extended attribute of a folder speaks for what lies below it, the nearest one counts. It is
/// synced like any other, so it holds on every computer.
package struct MergeRule: Hashable, Sendable {
    package static let attribute = Array("user.merge".utf8)

    package enum Choice: String, Hashable, Sendable, Codable {
        case text, off
    }

    /// The folder that says so.
    package var directory: InodeNumber
    package var choice: Choice

    /// What the folder itself says; nil where that is nothing, or nothing that is understood.
    package init?(of directory: LocalNode) {
        let value = directory.attributes.extendedAttributes.first { $0.name == Self.attribute }?.value
        guard let value, let choice = Choice(rawValue: String(decoding: value, as: UTF8.self)) else { return nil }
        self.directory = directory.number
        self.choice = choice
    }

    /// What holds in the folder; nil where nobody has said anything.
    package static func holding(in directory: InodeNumber, _ store: LocalStore) throws(StoreError) -> MergeRule? {
        var seen: Set<InodeNumber> = []
        var current: InodeNumber? = directory
        while let number = current, seen.insert(number).inserted, let node = try store.node(number) {
            if let rule = MergeRule(of: node) { return rule }
            current = try store.parent(of: number)
        }
        return nil
    }

    /// All that folders say, by their paths.
    package static func all(in store: LocalStore) throws(StoreError) -> [(path: [UInt8], rule: MergeRule)] {
        var rules: [(path: [UInt8], rule: MergeRule)] = []
        for node in try store.directoriesWithAttributes() {
            guard let rule = MergeRule(of: node), let path = try TreePath.path(of: node.number, in: store) else {
                continue
            }
            rules.append((path, rule))
        }
        return rules.sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }
}
