package import DbxModel

/// The content of one file, or of a part of it: an ordered list of extents whose gaps are holes.
///
/// Invariant: ordered by offset, no two overlap, none crosses a 64 MiB border, and neighbours that go on in the same
/// block are one. A value; operations cost the logarithm of the list plus what they change, and the shift of an array.
/// Ranges given to it lie within `0..<ContentLimits.maximumFileBytes`; what comes from outside is checked by
/// `ExtentValidation` first.
package struct ExtentList: Hashable, Sendable {
    package private(set) var extents: [Extent] = []

    package init() {}

    /// Checks order, bounds and borders, and merges neighbours.
    package init(validating extents: some Sequence<Extent>) throws(ExtentError) {
        var end: Int64 = 0
        for extent in extents {
            try ExtentValidation.checkBounds(extent)
            guard extent.offset >= end else { throw .overlaps(offset: extent.offset) }
            end = extent.end
            append(extent)
        }
    }

    package var isEmpty: Bool { extents.isEmpty }

    /// The end of the last extent; the file itself may be longer.
    package var end: Int64 { extents.last?.end ?? 0 }

    /// Bytes that stand in blocks: what quota counts.
    package var allocatedBytes: Int64 { extents.reduce(0) { $0 + $1.length } }

    /// What `range` holds, cut to it, in order.
    package func slices(of range: Range<Int64>) -> [Extent] {
        var slices: [Extent] = []
        for extent in extents[firstIndex(endingAfter: range.lowerBound)...] {
            guard extent.offset < range.upperBound else { break }
            if let part = extent.part(in: range) { slices.append(part) }
        }
        return slices
    }

    /// The gaps in `range`, in order.
    package func holes(in range: Range<Int64>) -> [Range<Int64>] {
        var holes: [Range<Int64>] = []
        var position = range.lowerBound
        for extent in slices(of: range) {
            if position < extent.offset { holes.append(position..<extent.offset) }
            position = extent.end
        }
        if position < range.upperBound { holes.append(position..<range.upperBound) }
        return holes
    }

    /// The extents of one segment row.
    package func segment(_ index: Int64) -> [Extent] { slices(of: ContentLimits.segmentRange(index)) }

    /// Puts `replacement`, ordered and inside `range`, in place of what `range` held.
    package mutating func replace(_ range: Range<Int64>, with replacement: [Extent]) {
        guard !range.isEmpty else { return }
        let first = firstIndex(endingAfter: range.lowerBound)
        let last = firstIndex(startingAt: range.upperBound, from: first)
        let touched = extents[first..<last]
        var middle = ExtentList()
        if let head = touched.first?.part(in: 0..<range.lowerBound) { middle.append(head) }
        var end = range.lowerBound
        for extent in replacement {
            precondition(extent.length > 0 && extent.offset >= end && extent.end <= range.upperBound)
            end = extent.end
            for part in extent.splitAtBorders() { middle.append(part) }
        }
        if let tail = touched.last?.part(in: range.upperBound..<Int64.max) { middle.append(tail) }
        splice(first..<last, with: middle.extents)
    }

    /// Makes `range` a hole.
    package mutating func punch(_ range: Range<Int64>) { replace(range, with: []) }

    /// Drops everything from `size` on.
    package mutating func truncate(to size: Int64) {
        if size < end { punch(size..<end) }
    }

    /// Puts what `source` holds in `range` at `offset`, holes included; the ranges may overlap in one list.
    package mutating func clone(_ range: Range<Int64>, of source: ExtentList, to offset: Int64) {
        let distance = offset - range.lowerBound
        replace(offset..<offset + Int64(range.count), with: source.slices(of: range).map { $0.moved(by: distance) })
    }

    /// Index of the first extent that ends after `offset`, or the count.
    private func firstIndex(endingAfter offset: Int64) -> Int {
        partition(from: 0) { $0.end > offset }
    }

    /// Index of the first extent that starts at or after `offset`, or the count.
    private func firstIndex(startingAt offset: Int64, from start: Int) -> Int {
        partition(from: start) { $0.offset >= offset }
    }

    /// The first index from which on `holds` is true; it must be false before and true after.
    private func partition(from start: Int, where holds: (Extent) -> Bool) -> Int {
        var low = start
        var high = extents.count
        while low < high {
            let middle = (low + high) / 2
            if holds(extents[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Adds at the end, or to the last extent.
    private mutating func append(_ extent: Extent) {
        if let last = extents.last, last.continues(in: extent) {
            extents[extents.count - 1].length += extent.length
        } else {
            extents.append(extent)
        }
    }

    /// Replaces whole extents and merges at both seams. `middle` is merged in itself.
    private mutating func splice(_ indices: Range<Int>, with middle: [Extent]) {
        var merged = ExtentList()
        var indices = indices
        if indices.lowerBound > 0 {
            indices = indices.lowerBound - 1..<indices.upperBound
            merged.append(extents[indices.lowerBound])
        }
        for extent in middle { merged.append(extent) }
        if indices.upperBound < extents.count {
            merged.append(extents[indices.upperBound])
            indices = indices.lowerBound..<indices.upperBound + 1
        }
        extents.replaceSubrange(indices, with: merged.extents)
    }
}
