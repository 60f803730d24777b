package import DbxLocalStore
package import DbxModel
package import DbxWire

/// What the planner may take for granted about files whose content is on its way; kept by the engine between plans.
package struct PushContext {
    /// Files that some program has open for writing.
    package var openForWriting: (InodeNumber) -> Bool
    /// Files whose content is being uploaded right now.
    package var uploading: Set<InodeNumber>
    /// How many of these are large.
    package var largeUploading = 0
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
    /// Those of them that others should not have to wait for.
    package var largeUploads: Set<InodeNumber> = []
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
