import DbxModel

/// The number under which the local store knows a block.
package struct BlockNumber: RawRepresentable, Hashable, Sendable, Codable {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// A stretch of a file's local content. Lengths and offsets in bytes; gaps between extents are holes.
package struct LocalExtent: Hashable, Sendable, Codable {
    package enum Source: Hashable, Sendable, Codable {
        /// Bytes that the server does not have yet. `epoch`: in which they were written.
        case staging(SegmentLocation, epoch: Int64)
        case block(BlockNumber, offset: Int64)
    }

    package var offset: Int64
    package var length: Int64
    package var source: Source

    package init(offset: Int64, length: Int64, source: Source) {
        self.offset = offset
        self.length = length
        self.source = source
    }

    package var end: Int64 { offset + length }
    package var range: Range<Int64> { offset..<end }

    package var isStaging: Bool {
        if case .staging = source { true } else { false }
    }

    /// Whether any file could have it: a row of a damaged database may say anything.
    var isPossible: Bool {
        guard offset >= 0, length > 0, length <= ContentLimits.segmentBytes, offset <= .max - length else {
            return false
        }
        return switch source {
        case .staging(let location, let epoch): location.holds(length) && epoch >= 0 && epoch < .max
        case .block(_, let offset): offset >= 0 && offset <= .max - length
        }
    }

    /// The pages of the segment files that hold it; nil for a block's.
    var stagedRange: SegmentRange? {
        guard case .staging(let location, _) = source else { return nil }
        return SegmentRange(location, length)
    }

    /// The part within `range`, which must overlap.
    package func clipped(to range: Range<Int64>) -> LocalExtent {
        let part = self.range.clamped(to: range)
        let skipped = part.lowerBound - offset
        let source: Source =
            switch source {
            case .staging(let location, let epoch): .staging(location.advanced(by: skipped), epoch: epoch)
            case .block(let block, let offset): .block(block, offset: offset + skipped)
            }
        return LocalExtent(offset: part.lowerBound, length: part.upperBound - part.lowerBound, source: source)
    }

    /// Whether `next` goes on where this one ends, in the file and in what it refers to.
    func continues(into next: LocalExtent) -> Bool {
        guard end == next.offset else { return false }
        switch (source, next.source) {
        case (.staging(let a, let first), .staging(let b, let second)):
            return first == second && a.segment == b.segment && a.position + length == b.position
        case (.block(let a, let first), .block(let b, let second)):
            return a == b && first + length == second
        default: return false
        }
    }
}

/// One 64 MiB stretch of one file.
struct StretchKey: Hashable {
    var node: InodeNumber
    var index: Int64

    var range: Range<Int64> { index * ContentLimits.segmentBytes..<(index + 1) * ContentLimits.segmentBytes }

    static func covering(_ node: InodeNumber, _ range: Range<Int64>) -> [StretchKey] {
        guard !range.isEmpty else { return [] }
        let first = ContentLimits.segmentIndex(of: range.lowerBound)
        let last = ContentLimits.segmentIndex(of: range.upperBound - 1)
        return (first...last).map { StretchKey(node: node, index: $0) }
    }
}

/// Extents ordered by offset, without overlap: the algebra of a stretch.
extension [LocalExtent] {
    /// Indices of the extents that overlap `range`.
    func overlapping(_ range: Range<Int64>) -> Range<Int> {
        guard !range.isEmpty else { return 0..<0 }
        let first = partition { $0.end > range.lowerBound }
        var last = first
        while last < count, self[last].offset < range.upperBound { last += 1 }
        return first..<last
    }

    /// The first index at which `isPast` holds; it holds from there on.
    private func partition(_ isPast: (LocalExtent) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isPast(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// What `range` says, cut at its borders.
    func slice(_ range: Range<Int64>) -> [LocalExtent] {
        self[overlapping(range)].map { $0.clipped(to: range) }
    }

    /// Replaces what `range` says by `new` (ordered, within the range), joining what goes together. Returns the extents
    /// that are gone and those that came; equal ones are in neither.
    mutating func splice(_ range: Range<Int64>, _ new: [LocalExtent]) -> (removed: [LocalExtent], added: [LocalExtent])
    {
        var touched = overlapping(range)
        // A neighbour that the new extents may continue belongs to the change.
        if touched.lowerBound > 0 { touched = touched.lowerBound - 1..<touched.upperBound }
        if touched.upperBound < count { touched = touched.lowerBound..<touched.upperBound + 1 }
        let old = Array(self[touched])
        var pieces: [LocalExtent] = []
        for extent in old where extent.offset < range.lowerBound {
            pieces.append(extent.clipped(to: extent.offset..<Swift.min(extent.end, range.lowerBound)))
        }
        pieces += new
        for extent in old where extent.end > range.upperBound {
            pieces.append(extent.clipped(to: Swift.max(extent.offset, range.upperBound)..<extent.end))
        }
        let joined = pieces.reduce(into: [LocalExtent]()) { result, piece in
            if let last = result.last, last.continues(into: piece) {
                result[result.count - 1].length += piece.length
            } else {
                result.append(piece)
            }
        }
        replaceSubrange(touched, with: joined)
        return (old.filter { !joined.contains($0) }, joined.filter { !old.contains($0) })
    }
}
