package import DbxModel

/// Why a list of extents from disk or network is no valid content.
package enum ExtentError: Error, Hashable, Sendable {
    /// A length that is not positive, a negative offset, or an end past what a file or a block can have.
    case outOfBounds(offset: Int64)
    /// Begins before the one in front of it ends.
    case overlaps(offset: Int64)
    /// Crosses a 64 MiB border, or lies in another segment than the one it is listed under.
    case outsideSegment(offset: Int64)
    /// Reads past the end of its block's content.
    case outsideBlock(BlockID)
    /// Names a block that nothing is known of.
    case unknownBlock(BlockID)
    /// More extents than a segment row may have.
    case tooMany(segment: Int64)
    /// An edit of a segment row that was made for another row.
    case otherBase(segment: Int64)
}
