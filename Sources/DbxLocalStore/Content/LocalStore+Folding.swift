import DbxModel

/// Folding: where a stretch has been edited in very many places, a few long runs are made of them again before it goes up, so
/// that its row never has more extents than the server takes.
extension LocalStore {
    private static let windowBytes: Int64 = 1 << 20
    /// A shorter hole is filled with zeros, as a block of a local disk is.
    private static let leastHole: Int64 = 4_096

    /// Which parts of the file's changed content are to be folded, those of the most pieces first: of each stretch with more
    /// than half of the extents that it may have, until a quarter is left.
    package func partsToFold(of number: InodeNumber) throws(StoreError) -> [Range<Int64>] {
        do {
            let changed = try query(
                "SELECT stretch FROM dirty_stretches WHERE node = ? ORDER BY stretch", [number.sqlValue]
            ) { $0[0] as Int64 }
            return try changed.flatMap { try Self.partsToFold(stretch(StretchKey(node: number, index: $0))) }
        } catch {
            throw Self.storeError(error)
        }
    }

    private static func partsToFold(_ extents: [LocalExtent]) -> [Range<Int64>] {
        let windows = Dictionary(grouping: extents) { $0.offset / windowBytes }.map { index, extents in
            (index: index, pieces: pieces(extents).count, runs: runs(extents).count)
        }
        var left = windows.reduce(0) { $0 + $1.pieces }
        guard left > ContentLimits.maximumSegmentExtents / 2 else { return [] }
        var parts: [Range<Int64>] = []
        for window in windows.sorted(by: { ($1.pieces - $1.runs, $0.index) < ($0.pieces - $0.runs, $1.index) }) {
            guard left > ContentLimits.maximumSegmentExtents / 4, window.runs < window.pieces else { break }
            parts.append(window.index * windowBytes..<(window.index + 1) * windowBytes)
            left -= window.pieces - window.runs
        }
        return parts
    }

    /// What of a part has to be copied to staging for it to be a few runs: blocks' bytes, and short holes between.
    package static func rangesToCopy(_ extents: [LocalExtent]) -> [Range<Int64>] {
        let staged = extents.filter(\.isStaging)
        return runs(extents).flatMap { run -> [Range<Int64>] in
            var ranges: [Range<Int64>] = []
            var position = run.lowerBound
            for extent in staged where run.overlaps(extent.range) {
                if position < extent.offset { ranges.append(position..<extent.offset) }
                position = extent.end
            }
            if position < run.upperBound { ranges.append(position..<run.upperBound) }
            return ranges
        }
    }

    /// The bytes of `rangesToCopy` have been copied to staging; false where the part is no longer what it was: then nothing
    /// has happened, and the copies are still the caller's.
    package func fold(
        _ number: InodeNumber, _ part: Range<Int64>, from before: [LocalExtent], copies: [DetachedCopy]
    ) throws(StoreError) -> Bool {
        try transaction {
            guard let node = try node(number), node.contentDirty, node.size >= copies.last?.end ?? 0,
                try content(number, part) == before
            else { return false }
            try adopt(copies, in: number)
            return true
        }
    }

    /// As how many extents the server will see them: what is staged side by side goes up as one.
    private static func pieces(_ extents: [LocalExtent]) -> [Range<Int64>] {
        var last: LocalExtent?
        return joined(extents) { extent in
            defer { last = extent }
            return extent.isStaging && last?.isStaging ?? false ? 0 : nil
        }
    }

    /// What lies side by side, short holes not counted.
    private static func runs(_ extents: [LocalExtent]) -> [Range<Int64>] { joined(extents) { _ in leastHole - 1 } }

    /// `gap`: up to which distance an extent goes with the one before it; nil: never.
    private static func joined(_ extents: [LocalExtent], gap: (LocalExtent) -> Int64?) -> [Range<Int64>] {
        extents.reduce(into: []) { ranges, extent in
            let gap = gap(extent)
            if let gap, let last = ranges.last, extent.offset - last.upperBound <= gap {
                ranges[ranges.count - 1] = last.lowerBound..<extent.end
            } else {
                ranges.append(extent.range)
            }
        }
    }
}

extension DetachedCopy {
    fileprivate var end: Int64 { offset + range.length }
}
