package import DbxModel

/// What to do with a remote entry row that meets a local row, from the three states of the name (DESIGN §5.3). A pure
/// function: the whole table is in `decide`.
package enum EntryDecision: Hashable, Sendable {
    /// Take the server's state; nothing here is lost by it.
    case takeRemote
    /// The local state already is the server's: only the base moves.
    case agree
    /// Keep the local state as a change on the new base.
    case keepLocal
    /// Two different things want one name: the server's gets it, ours goes on under a conflict name (or, when both are
    /// directories, is merged into the server's).
    case keepBoth

    package static func decide(
        base: NodeID?, local: NodeID?, remote: NodeID?, dirty: Bool
    ) -> EntryDecision {
        if local == remote { return .agree }
        guard dirty else { return .takeRemote }
        switch (local, remote) {
        case (nil, let remote?):
            // Removed here. The same node still there: our removal stands on the new base. Another one: it is new work.
            return remote == base ? .keepLocal : .takeRemote
        case (.some, nil):
            return .keepLocal
        case (.some, .some):
            // Replaced here; if the server still has what we replaced, our replacement stands on the new base.
            return remote == base ? .keepLocal : .keepBoth
        case (nil, nil):
            return .agree
        }
    }
}
