/// A place in the segment files.
package struct SegmentLocation: Hashable, Sendable, Codable {
    package var segment: Int32
    /// Bytes from the segment's beginning.
    package var position: Int64

    package init(segment: Int32, position: Int64) {
        self.segment = segment
        self.position = position
    }

    package func advanced(by bytes: Int64) -> SegmentLocation {
        SegmentLocation(segment: segment, position: position + bytes)
    }
}

/// Pages of a segment, one behind the other.
package struct SegmentRange: Hashable, Sendable {
    var segment: Int32
    var pages: Range<Int>

    var location: SegmentLocation {
        SegmentLocation(segment: segment, position: Int64(pages.lowerBound) * SpaceMap.pageBytes)
    }
    var length: Int64 { Int64(pages.count) * SpaceMap.pageBytes }
}
