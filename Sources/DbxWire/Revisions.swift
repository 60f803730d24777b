package import DbxModel

/// One content state of a node: a seq over its segment rows (DESIGN §3, Content rows).
package struct RevisionRow: Hashable, Sendable, Codable {
    package var seq: Seq
    package var size: Int64
    package var mtime: Timestamp
    /// When the server took it.
    package var committedAt: Timestamp
    /// The device that made it, by id and by the name it has now.
    package var device: DeviceID
    package var deviceName: String
    /// SHA-256 over the SHA-256 of each 4 MiB of content, where known.
    package var contentHash: Base64?

    package init(
        seq: Seq, size: Int64, mtime: Timestamp, committedAt: Timestamp, device: DeviceID, deviceName: String,
        contentHash: Base64?
    ) {
        self.seq = seq
        self.size = size
        self.mtime = mtime
        self.committedAt = committedAt
        self.device = device
        self.deviceName = deviceName
        self.contentHash = contentHash
    }
}

/// One page of `GET /v1/namespaces/{namespace}/nodes/{node}/revisions?before=SEQ&limit=N`, newest first.
package struct RevisionsPage: Hashable, Sendable, Codable {
    package var revisions: [RevisionRow]
    /// Pass as `before` to get the next page; nil on the last.
    package var next: Seq?

    package init(revisions: [RevisionRow], next: Seq?) {
        self.revisions = revisions
        self.next = next
    }
}
