/// Something in a local store that is not as it must be.
package struct StoreProblem: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// SQLite says that its file is damaged.
        case database
        /// An entry without its directory, its node, or with one that is no directory.
        case entry
        /// A directory that does not lead to the root, or something without a name.
        case unreachable
        /// A node whose number of names is another.
        case links
        /// A node that says another size of its content than its extents have.
        case allocation
        /// Extents that overlap, lie behind the end of their file, or name what is not there.
        case extent
        /// Bytes that two things claim.
        case space
        /// Unsent bytes that no upload would take up.
        case unmarked
        /// A segment that is missing or too short.
        case segment
        /// Unsent bytes that are not what was written. They are never sent; nothing else has them.
        case staging
        /// A cached block that is not what its checksums say.
        case cache
    }

    package var kind: Kind
    /// What is wrong, on what.
    package var text: String
    package var isRepaired: Bool

    package init(kind: Kind, text: String, isRepaired: Bool = false) {
        self.kind = kind
        self.text = text
        self.isRepaired = isRepaired
    }
}
