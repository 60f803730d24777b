package import DbxModel

/// Why stored bytes are not the block they should be. Nothing here is retried on the same bytes; `wrongID`,
/// `wrongLength` and `notAuthentic` may be cured by fetching again.
package enum BlockError: Error, Hashable, Sendable {
    /// More than 4 MiB to seal, or stored or plain lengths that no block can have.
    case tooLong
    /// The bytes are not as many as the lengths say.
    case wrongLength
    /// The SHA-256 of the stored bytes is not the block's id.
    case wrongID
    /// A frame does not open under the key: damaged, swapped, from another block, or the wrong key.
    case notAuthentic(frame: Int)
    /// Made by a newer dbxfs: an unknown version, codec or flag.
    case unsupported
    /// Encoded against another block, which this reader does not follow.
    case needsBase(BlockID)
    /// The header contradicts itself or the lengths, or the compressed data is damaged.
    case malformed
    /// A range was asked of a block that is compressed, or past its end.
    case notReadableByRange
    /// A block just sealed did not decode to what went in: memory or library fault; it must not be uploaded.
    case doesNotDecode
}
