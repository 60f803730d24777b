package import DbxLocalStore
package import DbxModel
package import DbxWire

/// What the planner may take for granted about files whose content is on its way; kept by the engine between plans.
package struct PushContext {
    /// Files that some program has open for writing.
    package var openForWriting: (InodeNumber) -> Bool
    /// Files whose content is being uploaded right now.
    package var uploading: Set<InodeNumber>
    /// Files whose content (as of a snapshot) is on the server and waits for its commit.
    package var uploaded: [InodeNumber: UploadedContent]
    /// Rows that the server refused for good: they and what depends on them stay here until the cause changes.
    package var held: Set<NodeID>
    /// Of those, the ones whose names stay as they are there.
    package var heldNames: Set<NodeID> = []
    /// What the mass-change guard holds back, and what depends on it.
    package var rule: HoldRule?
    /// `sync` asks for everything now: no quiet time.
    package var urgent: Bool
    /// The server could not lay an edit over its row: it is told all of it.
    package var sendsWholeRows = false
    /// At most this many rows are picked (what they depend on comes on top).
    package var rowLimit: Int
    /// A commit on its way, beside which the next one is planned.
    package var inFlight: RowsInFlight?
    /// What needs very much has waited long enough for everything else.
    package var mayBeLarge = false

    package init(
        openForWriting: @escaping (InodeNumber) -> Bool, uploading: Set<InodeNumber> = [],
        uploaded: [InodeNumber: UploadedContent] = [:], held: Set<NodeID> = [], rule: HoldRule? = nil,
        urgent: Bool = false,
        rowLimit: Int = 1_000
    ) {
        self.openForWriting = openForWriting
        self.uploading = uploading
        self.uploaded = uploaded
        self.held = held
        self.rule = rule
        self.urgent = urgent
        self.rowLimit = rowLimit
    }
}

/// A file's content state whose blocks the server has (or need not be sent): ready for its commit.
package struct UploadedContent: Sendable {
    package var snapshot: UploadSnapshot
    /// The whole new lists of the snapshot's dirty segments; an index without extents is a hole.
    package var segments: [SegmentChange]
    /// The blocks among them that are new to the namespace.
    package var blocks: [CommittedBlock]
    package var contentHash: [UInt8]?

    package init(
        snapshot: UploadSnapshot, segments: [SegmentChange], blocks: [CommittedBlock], contentHash: [UInt8]?
    ) {
        self.snapshot = snapshot
        self.segments = segments
        self.blocks = blocks
        self.contentHash = contentHash
    }
}

/// What to do next with the local work.
package struct PushPlan {
    /// Files whose content should start to go up now, small ones first.
    package var uploads: [InodeNumber]
    /// A commit closed under dependencies; nil when there is nothing to say yet.
    package var commit: PlannedCommit?
    /// When a file that is still waiting for its quiet time becomes ready; nil when none waits for time alone.
    package var nextReadyAt: Timestamp?
    /// Whether something needs more rows than the commit was to have.
    package var leavesOut = false

    package init(uploads: [InodeNumber], commit: PlannedCommit?, nextReadyAt: Timestamp?) {
        self.uploads = uploads
        self.commit = commit
        self.nextReadyAt = nextReadyAt
    }
}

/// A commit together with the local rows that it covers.
package struct PlannedCommit {
    package var request: CommitRequest
    package var covered: CoveredRows
}

/// The local rows that a commit speaks of, each with the change counter that it had, so that a row changed meanwhile
/// stays dirty when the answer comes. Stored beside the commit's body until then.
package struct CoveredRows: Codable, Sendable {
    package struct Node: Codable, Sendable {
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
    package struct Row: Codable, Sendable {
        package var index: Int64
        package var extents: [Extent]
    }

    package struct Entry: Codable, Sendable {
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
