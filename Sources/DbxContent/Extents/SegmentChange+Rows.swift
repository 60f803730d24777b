import Crypto
package import DbxModel
package import DbxWire

/// Changes of segment rows as edits, so that a page written into a large file does not cost its list of blocks.
extension SegmentChange {
    /// The shorter way to say that segment `index` goes from `old` to `new`; both are valid rows.
    package init(index: Int64, from old: [Extent], to new: [Extent]) {
        let (before, after) = (ExtentList(row: old), ExtentList(row: new))
        let holes = after.holes(in: ContentLimits.segmentRange(index)).flatMap { before.slices(of: $0) }
        let changed = after.extents.flatMap { $0.parts(notIn: before) }
        // A hole takes half as many bytes as an extent, and the digest as many as a few of them.
        guard changed.count + holes.count + 4 < new.count else {
            self.init(index: index, extents: new)
            return
        }
        self.init(
            index: index, extents: changed,
            base: SegmentBase(
                digest: Self.digest(of: before, index: index),
                holes: holes.map { FileRange(offset: $0.offset, length: $0.length) }))
    }

    /// The row that the change makes of `old`. Its own extents and holes have been checked to lie in the segment.
    package func row(from old: [Extent]) throws(ExtentError) -> [Extent] {
        guard let base else { return extents }
        var list = try ExtentList(validating: old)
        guard Self.digest(of: list, index: index) == base.digest else { throw .otherBase(segment: index) }
        for hole in base.holes { list.punch(hole.offset..<hole.offset + hole.length) }
        for extent in extents { list.replace(extent.range, with: [extent]) }
        return list.extents
    }

    private static func digest(of row: ExtentList, index: Int64) -> Base64 {
        Base64(Array(SHA256.hash(data: SegmentCodec.encode(row.extents, index: index)).prefix(8)))
    }
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
