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

    /// Whether so many bytes from here on lie within the segment: a row of a damaged database may say anything.
    func holds(_ length: Int64) -> Bool {
        position >= 0 && length >= 0 && length <= SegmentFiles.segmentBytes
            && position <= SegmentFiles.segmentBytes - length
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

    init(segment: Int32, pages: Range<Int>) {
        self.segment = segment
        self.pages = pages
    }

    /// The pages that these bytes touch.
    init(_ location: SegmentLocation, _ length: Int64) {
        let page = SpaceMap.pageBytes
        segment = location.segment
        pages = Int(location.position / page)..<Int((location.position + length + page - 1) / page)
    }

    /// Takes out of both what each has as often as the other.
    static func dropCommon(_ some: inout [SegmentRange], _ others: inout [SegmentRange]) {
        var index = 0
        while index < some.count {
            let range = some[index]
            let overlapping = others.firstIndex {
                $0.segment == range.segment && $0.pages.overlaps(range.pages)
            }
            guard let overlapping else {
                index += 1
                continue
            }
            let common = range.pages.clamped(to: others[overlapping].pages)
            some.replaceSubrange(index...index, with: range.without(common))
            others.replaceSubrange(overlapping...overlapping, with: others[overlapping].without(common))
        }
    }

    private func without(_ part: Range<Int>) -> [SegmentRange] {
        [pages.lowerBound..<part.lowerBound, part.upperBound..<pages.upperBound].filter { !$0.isEmpty }
            .map { SegmentRange(segment: segment, pages: $0) }
    }
}
