package import DbxLocalStore
package import DbxSystem

/// The content hash of a file as it stands here, for comparing with what the server says of its version.
package enum SnapshotHash {
    /// Bytes that are in memory at once.
    private static let pieceBytes: Int64 = 1 << 20

    /// Nil where not all of the content is staging: such a file was changed in part, and the server does not know the hash
    /// of one either. The snapshot's bytes must stay meanwhile.
    package static func of(_ snapshot: UploadSnapshot, segments: SegmentFiles) throws(Errno) -> [UInt8]? {
        var reader = SnapshotReader(snapshot, segments: segments)
        for extent in snapshot.extents {
            var start = extent.offset
            guard extent.isStaging else { return nil }
            while start < extent.end {
                let end = min(start + pieceBytes, extent.end)
                _ = try reader.read(start..<end)
                start = end
            }
        }
        return reader.finishHash()
    }
}
