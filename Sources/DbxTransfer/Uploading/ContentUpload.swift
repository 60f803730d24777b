package import DbxWire

/// A file's content state whose blocks the server has: what its commit will say.
package struct ContentUpload: Sendable {
    /// The whole new extent lists of the snapshot's dirty stretches.
    package var segments: [SegmentChange]
    /// The blocks that were made for it, each once.
    package var blocks: [CommittedBlock]
    /// Nil where parts of the file were not read.
    package var contentHash: [UInt8]?
}
