/// Carries out an `UploadPlan`: gives one block after another with its bytes, reading the file as it goes.
///
/// Holds at most 4 MiB between calls, and 8 MiB together with the block it gives out. Owned by one thread.
package struct BlockSource {
    package struct Block: Sendable {
        package let planned: PlannedBlock
        package let bytes: [UInt8]
    }

    private static let readBytes: Int64 = 1 << 20

    private var steps: ArraySlice<UploadPlan.Step>
    private var stream = Stream(runs: [])

    package init(_ plan: UploadPlan) { steps = plan.steps[...] }

    /// The next block; nil at the end. `read` returns exactly the bytes of a range, 1 MiB at most; when it throws the
    /// source is not used again.
    package mutating func next<Failure: Error>(
        read: (Range<Int64>) throws(Failure) -> [UInt8]
    ) throws(Failure) -> Block? {
        while true {
            if let block = try stream.next(read: read) { return block }
            switch steps.popFirst() {
            case nil: return nil
            case .stream(let runs): stream = Stream(runs: runs[...])
            case .patch(let planned):
                var bytes: [UInt8] = []
                bytes.reserveCapacity(planned.plainBytes)
                for piece in planned.pieces { try Self.append(piece, to: &bytes, read: read) }
                return Block(planned: planned, bytes: bytes)
            }
        }
    }

    private static func append<Failure: Error>(
        _ range: Range<Int64>, to bytes: inout [UInt8], read: (Range<Int64>) throws(Failure) -> [UInt8]
    ) throws(Failure) {
        var position = range.lowerBound
        while position < range.upperBound {
            let next = position..<min(range.upperBound, position + readBytes)
            let part = try read(next)
            precondition(part.count == next.count, "a read returns exactly what was asked for")
            bytes += part
            position = next.upperBound
        }
    }

    /// Takes at most `count` bytes off the first of `ranges`, of which there is one.
    private static func removePrefix(of count: Int64, from ranges: inout ArraySlice<Range<Int64>>) -> Range<Int64> {
        let first = ranges[ranges.startIndex]
        let middle = min(first.upperBound, first.lowerBound + count)
        if middle < first.upperBound {
            ranges[ranges.startIndex] = middle..<first.upperBound
        } else {
            ranges.removeFirst()
        }
        return first.lowerBound..<middle
    }

    /// Some runs of the file as one stream on its way through the chunker.
    private struct Stream {
        /// What has not been read.
        var runs: ArraySlice<Range<Int64>>
        /// What has been read and not given out: its places and its bytes, of which the chunker has seen `scanned`.
        private var places: ArraySlice<Range<Int64>> = []
        private var bytes: [UInt8] = []
        private var scanned = 0
        private var chunker = FastCDC()

        init(runs: ArraySlice<Range<Int64>>) { self.runs = runs }

        mutating func next<Failure: Error>(
            read: (Range<Int64>) throws(Failure) -> [UInt8]
        ) throws(Failure) -> Block? {
            while true {
                if scanned < bytes.count {
                    var chunker = chunker
                    let cut = chunker.push(bytes.span.extracting(scanned...))
                    self.chunker = chunker
                    if let cut { return take(scanned + cut) }
                    scanned = bytes.count
                }
                guard !runs.isEmpty else { return bytes.isEmpty ? nil : take(bytes.count) }
                // A chunk ends at 4 MiB, so there is room for at least a byte.
                let room = min(BlockSource.readBytes, Int64(FastCDC.maximumBytes - bytes.count))
                let range = BlockSource.removePrefix(of: room, from: &runs)
                try BlockSource.append(range, to: &bytes, read: read)
                places.append(range)
            }
        }

        /// Gives out the first `count` bytes.
        private mutating func take(_ count: Int) -> Block {
            let taken = Array(bytes[..<count])
            bytes.removeSubrange(..<count)
            scanned = 0
            var pieces: [Range<Int64>] = []
            var rest = Int64(count)
            while rest > 0 {
                let piece = BlockSource.removePrefix(of: rest, from: &places)
                if let last = pieces.last, last.upperBound == piece.lowerBound {
                    pieces[pieces.count - 1] = last.lowerBound..<piece.upperBound
                } else {
                    pieces.append(piece)
                }
                rest -= Int64(piece.count)
            }
            return Block(planned: PlannedBlock(pieces: pieces), bytes: taken)
        }
    }
}
