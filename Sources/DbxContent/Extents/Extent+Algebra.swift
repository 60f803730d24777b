package import DbxModel

extension Extent {
    package var range: Range<Int64> { offset..<end }

    /// The part inside `range`; nil where they do not meet.
    package func part(in range: Range<Int64>) -> Extent? {
        let start = max(offset, range.lowerBound)
        let stop = min(end, range.upperBound)
        guard start < stop else { return nil }
        return Extent(offset: start, length: stop - start, block: block, blockOffset: blockOffset + (start - offset))
    }

    /// The same bytes of the block at another place of the file.
    package func moved(by distance: Int64) -> Extent {
        Extent(offset: offset + distance, length: length, block: block, blockOffset: blockOffset)
    }

    /// Cut so that no part crosses a 64 MiB border.
    package func splitAtBorders() -> [Extent] {
        ContentLimits.segmentRanges(of: range).compactMap { part(in: $0) }
    }

    /// Whether `next` goes on in file and block where this ends, and both may be one extent.
    func continues(in next: Extent) -> Bool {
        end == next.offset && block == next.block && blockOffset + length == next.blockOffset
            && ContentLimits.segmentIndex(of: offset) == ContentLimits.segmentIndex(of: next.offset)
    }
}

extension ContentLimits {
    /// The bytes that segment `index` describes.
    package static func segmentRange(_ index: Int64) -> Range<Int64> {
        index * segmentBytes..<(index + 1) * segmentBytes
    }

    /// `range` cut at the 64 MiB borders, in order; nothing for an empty one.
    package static func segmentRanges(of range: Range<Int64>) -> [Range<Int64>] {
        guard !range.isEmpty else { return [] }
        return (segmentIndex(of: range.lowerBound)...segmentIndex(of: range.upperBound - 1)).map {
            segmentRange($0).clamped(to: range)
        }
    }
}
