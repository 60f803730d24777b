package import DbxModel

/// A file's content at one moment, for its upload. The staging bytes that it names stay as they are until `endUpload`.
package struct UploadSnapshot: Hashable, Sendable, Codable {
    package var number: InodeNumber
    package var id: NodeID
    /// `LocalNode.contentChange` then.
    package var contentChange: Int64
    package var size: Int64
    package var contentBase: Seq
    package var mtime: Timestamp
    package var ctime: Timestamp
    /// The 64 MiB stretches that differ from the server's.
    package var dirtyStretches: [Int64]
    /// Everything in those stretches, in order, staging and blocks.
    package var extents: [LocalExtent]
    /// The epoch that the snapshot ended: what was written later has a greater one.
    package var epoch: Int64
    /// No block of it is on the server: the content is cut as one stream.
    package var isNewStream: Bool

    package init(
        number: InodeNumber, id: NodeID, contentChange: Int64, size: Int64, contentBase: Seq, mtime: Timestamp,
        ctime: Timestamp, dirtyStretches: [Int64], extents: [LocalExtent], epoch: Int64, isNewStream: Bool
    ) {
        self.number = number
        self.id = id
        self.contentChange = contentChange
        self.size = size
        self.contentBase = contentBase
        self.mtime = mtime
        self.ctime = ctime
        self.dirtyStretches = dirtyStretches
        self.extents = extents
        self.epoch = epoch
        self.isNewStream = isNewStream
    }
}
