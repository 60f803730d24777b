package import DbxLocalStore
package import DbxModel
package import DbxWire

/// The local rows that a commit speaks of, each with the change counter that it had, so that a row changed meanwhile
/// stays dirty when the answer comes. Stored beside the commit's body until then.
package struct CoveredRows: Hashable, Codable, Sendable {
    package struct Node: Hashable, Codable, Sendable {
        package var id: NodeID
        package var change: Int64
        package var contentChange: Int64
        /// The attributes as they were sent, nil where that part was not.
        package var attributes: NodeAttributes?
        /// The snapshot whose content was sent, nil where that part was not.
        package var content: UploadSnapshot?
        /// Those of its rows that were sent as moves of other content, which may not stand any more when the answer comes.
        package var movedRows: [Row]?
    }

    /// A segment row as the commit leaves it.
    package struct Row: Hashable, Codable, Sendable {
        package var index: Int64
        package var extents: [Extent]
    }

    package struct Entry: Hashable, Codable, Sendable {
        package var parent: NodeID
        package var name: Base64
        package var change: Int64
        /// What was sent, which is not the local state where a name waits for its content.
        package var sent: NodeID?
    }

    package var nodes: [Node] = []
    package var entries: [Entry] = []

    package var rows: Int { nodes.count + entries.count }
}
