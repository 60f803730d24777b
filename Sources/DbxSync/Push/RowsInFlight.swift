import DbxModel
import DbxWire

/// The rows of a commit that is on its way. What is planned beside it may be refused no more often than if it had been
/// planned afterwards, and its answer must mean the same: so only new things go beside it, under names that the server
/// does not have, which need nothing of what is on its way but the making of their directories. Everything else waits.
package struct RowsInFlight: Sendable {
    let nodes: Set<NodeID>
    let entries: Set<CommitBuilder.EntryKey>
    /// How many uploaded contents are in it.
    let contents: Int

    package init(_ covered: CoveredRows) {
        nodes = Set(covered.nodes.map(\.id))
        entries = Set(
            covered.entries.compactMap { entry in
                Name(entry.name.bytes).map { CommitBuilder.EntryKey(parent: entry.parent, name: $0) }
            })
        contents = covered.nodes.count { $0.content != nil }
    }
}
