import Crypto
package import DbxModel
package import DbxWire

/// Changes of segment rows as edits, so that a page written into a large file does not cost its list of blocks, nor a line
/// put before it.
extension SegmentChange {
    /// The shortest way to say that segment `index` goes from `old` to `new`; both are valid rows.
    ///
    /// `source`: content that the server has and that parts of the new row may stand in at another place; of `node`, or of
    /// the same file where that is nil.
    package init(
        index: Int64, from old: [Extent], to new: [Extent], source: ExtentList = ExtentList(), node: NodeID? = nil
    ) {
        let (before, after) = (ExtentList(row: old), ExtentList(row: new))
        let holes = after.holes(in: ContentLimits.segmentRange(index)).flatMap { before.slices(of: $0) }
        let changed = after.extents.flatMap { $0.parts(notIn: before) }
        let (moved, others) = MovedExtents(source).split(changed)
        // A hole or a move takes half as many bytes as an extent, and the digest as many as a few of them.
        let asEdit = changed.count + holes.count + 4
        let asMoves = others.count + moved.count + holes.count + 4
        guard min(asEdit, asMoves) < new.count else {
            self.init(index: index, extents: new)
            return
        }
        let isMoved = asMoves < asEdit && moved.count <= SegmentMoves.maximumRanges
        guard isMoved || asEdit < new.count else {
            self.init(index: index, extents: new)
            return
        }
        self.init(
            index: index, extents: isMoved ? others : changed,
            base: SegmentBase(
                digest: Self.digest(of: isMoved ? after : before, index: index),
                holes: holes.map { FileRange(offset: $0.offset, length: $0.length) },
                moves: isMoved ? SegmentMoves(node: node, ranges: moved) : nil))
    }

    /// The row that the change makes of `old`. Its own extents, holes and moves have been checked to lie where they may.
    ///
    /// `source`: the extents of all segments that its moves take from.
    package func row(from old: [Extent], source: ExtentList = ExtentList()) throws(ExtentError) -> [Extent] {
        guard let base else { return extents }
        var list = try ExtentList(validating: old)
        if base.moves == nil { try check(list, base) }
        for hole in base.holes { list.punch(hole.offset..<hole.offset + hole.length) }
        for move in base.moves?.ranges ?? [] {
            list.clone(move.from..<move.from + move.length, of: source, to: move.offset)
            guard list.extents.count <= ContentLimits.maximumSegmentExtents else { throw .tooMany(segment: index) }
        }
        for extent in extents { list.replace(extent.range, with: [extent]) }
        if base.moves != nil { try check(list, base) }
        return list.extents
    }

    private func check(_ list: ExtentList, _ base: SegmentBase) throws(ExtentError) {
        guard Self.digest(of: list, index: index) == base.digest else { throw .otherBase(segment: index) }
    }

    private static func digest(of row: ExtentList, index: Int64) -> Base64 {
        Base64(Array(SHA256.hash(data: SegmentCodec.encode(row.extents, index: index)).prefix(8)))
    }
}

extension SegmentMoves {
    /// The segments of the file that is taken from.
    package var segments: [Int64] {
        Set(ranges.flatMap { [ContentLimits.segmentIndex(of: $0.from), ContentLimits.segmentIndex(of: $0.end - 1)] })
            .sorted()
    }
}

extension MovedRange {
    /// Where what is taken ends.
    fileprivate var end: Int64 { from + length }
}

extension ExtentList {
    /// Of extents that are known to be a valid row.
    fileprivate init(row: [Extent]) {
        self.init()
        for extent in row { replace(extent.range, with: [extent]) }
    }
}

extension Extent {
    /// The parts that do not stand in `list` as they are here.
    fileprivate func parts(notIn list: ExtentList) -> [Extent] {
        let same = list.slices(of: range).filter {
            $0.block == block && $0.blockOffset - $0.offset == blockOffset - offset
        }
        var parts: [Extent] = []
        var position = offset
        for found in same {
            if let part = part(in: position..<found.offset) { parts.append(part) }
            position = found.end
        }
        if let part = part(in: position..<end) { parts.append(part) }
        return parts
    }
}
