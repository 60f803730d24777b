package import DbxModel

/// A block to be made: which bytes of the file it holds, one after another.
package struct PlannedBlock: Hashable, Sendable {
    /// In file order, none empty, 4 MiB together at most.
    package let pieces: [Range<Int64>]

    package var plainBytes: Int { pieces.reduce(0) { $0 + $1.count } }

    /// The extents that say so, once the block has a name; cut at the 64 MiB borders.
    package func extents(in block: BlockID) -> [Extent] {
        var blockOffset: Int64 = 0
        var extents: [Extent] = []
        for piece in pieces {
            let length = Int64(piece.count)
            let extent = Extent(offset: piece.lowerBound, length: length, block: block, blockOffset: blockOffset)
            extents += extent.splitAtBorders()
            blockOffset += length
        }
        return extents
    }
}

/// How the changed bytes of one file become blocks (DESIGN §4.1): long runs and new files are cut by content, short
/// runs are packed together into patch blocks. Decided from offsets alone; where content-defined cuts fall is found by
/// `BlockSource` as the bytes are read.
package struct UploadPlan: Hashable, Sendable {
    package enum Step: Hashable, Sendable {
        case patch(PlannedBlock)
        /// The runs, joined, are one stream for FastCDC.
        case stream([Range<Int64>])
    }

    /// A run of at least this length is cut by content.
    package static let streamBytes = FastCDC.minimumBytes

    package let steps: [Step]

    /// `runs`: the ranges that the server lacks, ordered, without overlap; neighbours are joined here. In a new stream
    /// nothing of the file stands in blocks that it keeps. `oldBlock`: which block holds the byte at an offset now; short
    /// runs in different ones are not packed together, so that each patch can be encoded against one.
    package init(
        runs: [Range<Int64>], isNewStream: Bool, oldBlock: (Int64) -> BlockID? = { _ in nil }
    ) {
        let joined = Self.joined(runs)
        if isNewStream {
            steps = joined.isEmpty ? [] : [.stream(joined)]
            return
        }
        let long = joined.filter { $0.count >= Self.streamBytes }
        let short = joined.filter { $0.count < Self.streamBytes }
        steps = Self.grouped(short, oldBlock).flatMap(Self.packed).map(Step.patch) + long.map { .stream([$0]) }
    }

    /// More patches than this are not worth their rows.
    private static let mostGroups = 256

    private static func grouped(_ runs: [Range<Int64>], _ oldBlock: (Int64) -> BlockID?) -> [[Range<Int64>]] {
        var groups: [[Range<Int64>]] = []
        var last: BlockID??
        for run in runs {
            let block = oldBlock(run.lowerBound)
            if last == .some(block) { groups[groups.count - 1].append(run) } else { groups.append([run]) }
            last = block
        }
        return groups.count <= mostGroups ? groups : [runs]
    }

    private static func joined(_ runs: [Range<Int64>]) -> [Range<Int64>] {
        var joined: [Range<Int64>] = []
        for run in runs where !run.isEmpty {
            if let last = joined.last {
                precondition(last.upperBound <= run.lowerBound, "runs are ordered and do not overlap")
                if last.upperBound == run.lowerBound {
                    joined[joined.count - 1] = last.lowerBound..<run.upperBound
                    continue
                }
            }
            joined.append(run)
        }
        return joined
    }

    /// Fills blocks in offset order; no run is torn, as each is much smaller than a block.
    private static func packed(_ runs: [Range<Int64>]) -> [PlannedBlock] {
        var blocks: [PlannedBlock] = []
        var pieces: [Range<Int64>] = []
        var bytes = 0
        for run in runs {
            if bytes + run.count > BlockLayout.maximumPlainBytes {
                blocks.append(PlannedBlock(pieces: pieces))
                pieces = []
                bytes = 0
            }
            pieces.append(run)
            bytes += run.count
        }
        if !pieces.isEmpty { blocks.append(PlannedBlock(pieces: pieces)) }
        return blocks
    }
}
