package import DbxModel

/// A commit as the journal keeps it: enough to answer its repetition and to check cursors.
package struct CommitRecord: Hashable, Sendable {
    package var seq: Seq
    package var id: CommitID
    /// SHA-256 of the request's body.
    package var digest: [UInt8]
    /// The hash over all commits of the namespace up to this one.
    package var chain: [UInt8]
    /// Nil for the commit that the server itself begins a namespace with.
    package var device: DeviceID?
    package var committedAt: Timestamp
    /// The quota as it was answered.
    package var usedBytes: Int64
    package var limitBytes: Int64?

    package init(
        seq: Seq, id: CommitID, digest: [UInt8], chain: [UInt8], device: DeviceID?, committedAt: Timestamp,
        usedBytes: Int64, limitBytes: Int64?
    ) {
        self.seq = seq
        self.id = id
        self.digest = digest
        self.chain = chain
        self.device = device
        self.committedAt = committedAt
        self.usedBytes = usedBytes
        self.limitBytes = limitBytes
    }
}
