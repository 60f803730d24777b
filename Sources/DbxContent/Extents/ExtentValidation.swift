package import DbxModel

/// The checks of extents that come from disk or network, where any number may stand anywhere. Nothing here traps.
package enum ExtentValidation {
    /// One extent by itself: positive length, in the bounds of file and block, across no 64 MiB border.
    package static func checkBounds(_ extent: Extent) throws(ExtentError) {
        guard extent.length > 0, extent.offset >= 0, extent.blockOffset >= 0,
            extent.length <= ContentLimits.maximumBlockBytes,
            extent.blockOffset <= ContentLimits.maximumBlockBytes - extent.length,
            extent.offset <= ContentLimits.maximumFileBytes - extent.length
        else { throw .outOfBounds(offset: extent.offset) }
        guard ContentLimits.segmentIndex(of: extent.offset) == ContentLimits.segmentIndex(of: extent.end - 1)
        else { throw .outsideSegment(offset: extent.offset) }
    }

    /// The extents of one segment row: each by itself, in order, without overlap, all in segment `index` and before
    /// `size`, the file's length, where that is given.
    package static func checkSegment(
        _ extents: [Extent], index: Int64, size: Int64 = ContentLimits.maximumFileBytes
    ) throws(ExtentError) {
        var end: Int64 = 0
        for extent in extents {
            try checkBounds(extent)
            guard ContentLimits.segmentIndex(of: extent.offset) == index else {
                throw .outsideSegment(offset: extent.offset)
            }
            guard extent.offset >= end else { throw .overlaps(offset: extent.offset) }
            guard extent.end <= size else { throw .outOfBounds(offset: extent.offset) }
            end = extent.end
        }
    }

    /// That each extent, already checked by itself, lies inside its block's content. `plainBytes` gives a block's
    /// length, or nil where the block is not known.
    package static func checkBlocks(
        of extents: [Extent], plainBytes: (BlockID) throws -> Int64?
    ) throws {
        for extent in extents {
            guard let length = try plainBytes(extent.block) else { throw ExtentError.unknownBlock(extent.block) }
            guard extent.length <= length, extent.blockOffset <= length - extent.length else {
                throw ExtentError.outsideBlock(extent.block)
            }
        }
    }
}
