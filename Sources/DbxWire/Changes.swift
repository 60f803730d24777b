package import DbxModel

/// One page of `GET /v1/namespaces/{namespace}/changes?cursor=C&limit=N`: the rows whose seq lies behind the cursor, in
/// seq order, no seq split over two pages. Without `cursor` it begins at the beginning, without tombstones.
///
/// Every entry comes with its node's current row. What a client shows changes only when a page says `complete`.
package struct ChangesPage: Hashable, Sendable, Codable {
    package var nodes: [NodeRow]
    package var entries: [EntryRow]
    package var segments: [SegmentRow]
    package var blocks: [BlockRow]
    /// Opaque and signed: namespace, epoch, seq and hash chain.
    package var cursor: String
    /// Where the cursor stands.
    package var seq: Seq
    package var complete: Bool
    package var quota: Quota

    package init(
        nodes: [NodeRow], entries: [EntryRow], segments: [SegmentRow], blocks: [BlockRow], cursor: String, seq: Seq,
        complete: Bool, quota: Quota
    ) {
        self.nodes = nodes
        self.entries = entries
        self.segments = segments
        self.blocks = blocks
        self.cursor = cursor
        self.seq = seq
        self.complete = complete
        self.quota = quota
    }
}

/// One page of `GET /v1/namespaces/{namespace}/nodes/{node}/entries?after=OPAQUE&limit=N&cursor=C&content=true`, in name
/// order: all of it as it is at `seq`, which is not older than the cursor given.
package struct ListingPage: Hashable, Sendable, Codable {
    package var entries: [EntryRow]
    package var nodes: [NodeRow]
    /// Of the page's files, where `content` was asked for; else empty.
    package var segments: [SegmentRow]
    package var blocks: [BlockRow]
    /// Pass as `after` to get the next page; nil on the last.
    package var next: String?
    package var seq: Seq
    /// A cursor that stands at `seq`.
    package var cursor: String

    package init(
        entries: [EntryRow], nodes: [NodeRow], segments: [SegmentRow] = [], blocks: [BlockRow] = [], next: String?,
        seq: Seq, cursor: String
    ) {
        self.entries = entries
        self.nodes = nodes
        self.segments = segments
        self.blocks = blocks
        self.next = next
        self.seq = seq
        self.cursor = cursor
    }
}

/// `GET /v1/namespaces/{namespace}/nodes?ids=ID,ID,…&cursor=C`: the nodes that exist, with their content, the entries that
/// lead to them, and everything above up to the root; as it is at `seq`, which is not older than the cursor given.
package struct NodesPage: Hashable, Sendable, Codable {
    /// How many may be asked for at once.
    package static let maximumIDs = 100

    package var nodes: [NodeRow]
    package var entries: [EntryRow]
    package var segments: [SegmentRow]
    package var blocks: [BlockRow]
    package var seq: Seq

    package init(
        nodes: [NodeRow], entries: [EntryRow], segments: [SegmentRow], blocks: [BlockRow], seq: Seq
    ) {
        self.nodes = nodes
        self.entries = entries
        self.segments = segments
        self.blocks = blocks
        self.seq = seq
    }
}

/// One notice, as the data of a server-sent event `change` on `GET /v1/events` and as an item of the long poll
/// `GET /v1/events/poll?after=ID&timeout=SECONDS`: only a wake-up, the cursor is the truth.
package struct ChangeNotice: Hashable, Sendable, Codable {
    package var namespace: NamespaceID
    package var seq: Seq

    package init(namespace: NamespaceID, seq: Seq) {
        self.namespace = namespace
        self.seq = seq
    }
}

package struct PollResponse: Hashable, Sendable, Codable {
    /// The head of every namespace that the device may read and that has moved since `after`; empty at the timeout.
    package var changes: [ChangeNotice]

    package init(changes: [ChangeNotice]) { self.changes = changes }
}
