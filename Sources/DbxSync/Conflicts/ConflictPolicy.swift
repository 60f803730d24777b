package import DbxModel

/// What becomes of two versions of one file. A person chooses it per mount; directories are merged and edits beat
/// removals under both.
package enum ConflictPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    /// Both stay, ours under a name that says so.
    case keepBoth = "keep-both"
    /// The later modification time counts, the server's among equals; the other version is gone.
    case lastWriteWins = "last-write-wins"

    package enum Outcome: Hashable, Sendable {
        case both, ours, theirs
    }

    /// Pure. Two versions of one content are no conflict: then the server's is taken, which is ours.
    package func decide(sameContent: Bool, ours: Timestamp, theirs: Timestamp) -> Outcome {
        if sameContent { return .theirs }
        switch self {
        case .keepBoth: return .both
        case .lastWriteWins: return ours > theirs ? .ours : .theirs
        }
    }
}

/// The hash of a file's whole content as it stood at a change of the store; for comparing with the server's.
package struct LocalContentHash: Hashable, Sendable {
    package var contentChange: Int64
    package var hash: [UInt8]

    package init(contentChange: Int64, hash: [UInt8]) {
        self.contentChange = contentChange
        self.hash = hash
    }
}
