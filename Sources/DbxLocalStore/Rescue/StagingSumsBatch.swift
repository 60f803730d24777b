import DbxSystem

/// The checksums of the pages that a batch of the staging log names. Its length is known before they are made.
struct StagingSumsBatch: Sendable {
    private let epoch: Int64
    /// Bytes whose sums are to be there, ordered and joined.
    private let ranges: [(segment: Int32, range: Range<Int64>)]
    /// Consecutive pages.
    private let runs: [(first: SegmentPage, count: Int)]
    private let unsettled: Set<SegmentPage>

    /// `unsettled`: pages that get no sum now.
    init(epoch: Int64, records: [StagingLog.Record], except unsettled: Set<SegmentPage>) {
        self.epoch = epoch
        self.unsettled = unsettled
        var ranges: [(segment: Int32, range: Range<Int64>)] = []
        for record in records {
            guard case .bytes(_, let range, let location) = record else { continue }
            ranges.append((location.segment, location.position..<location.position + Int64(range.count)))
        }
        ranges.sort { ($0.segment, $0.range.lowerBound) < ($1.segment, $1.range.lowerBound) }
        self.ranges = ranges.reduce(into: []) { joined, next in
            guard let last = joined.last, last.segment == next.segment, last.range.upperBound >= next.range.lowerBound
            else { return joined.append(next) }
            let end = max(last.range.upperBound, next.range.upperBound)
            joined[joined.count - 1].range = last.range.lowerBound..<end
        }
        runs = Self.runs(of: self.ranges)
    }

    private static func runs(
        of ranges: [(segment: Int32, range: Range<Int64>)]
    ) -> [(first: SegmentPage, count: Int)] {
        var runs: [(first: SegmentPage, count: Int)] = []
        for (segment, range) in ranges {
            var first = Int(range.lowerBound / SpaceMap.pageBytes)
            let end = Int((range.upperBound + SpaceMap.pageBytes - 1) / SpaceMap.pageBytes)
            if let last = runs.last, last.first.segment == segment {
                let known = Int(last.first.index) + last.count
                if first <= known {
                    runs[runs.count - 1].count += max(0, end - known)
                    continue
                }
                first = max(first, known)
            }
            runs.append((SegmentPage(segment: segment, index: Int32(first)), end - first))
        }
        return runs
    }

    /// Without a page there is no batch.
    var encodedBytes: Int64 {
        runs.isEmpty ? 0 : 16 + runs.reduce(0) { $0 + 25 + 8 * Int64($1.count) }
    }

    /// Makes the sums that are missing and encodes them all.
    func bytes(_ files: SegmentFiles) throws(Errno) -> [UInt8] {
        for (segment, range) in ranges { try complete(segment, range, in: files) }
        if runs.isEmpty { return [] }
        let records = runs.map { run -> StagingLog.Record in
            let sums = (0..<run.count).map { step in
                let page = SegmentPage(segment: run.first.segment, index: run.first.index + Int32(step))
                return files.sums.sum(of: page) ?? StagingSums.Sum()
            }
            return .sums(first: run.first, sums)
        }
        return StagingLog.batch(epoch: epoch, records)
    }

    private func complete(_ segment: Int32, _ range: Range<Int64>, in files: SegmentFiles) throws(Errno) {
        let whole = SegmentLocation(segment: segment, position: range.lowerBound)
        if unsettled.isEmpty || unsettled.isDisjoint(with: SegmentPage.covering(whole, Int64(range.count))) {
            return try files.sums.complete(whole, Int64(range.count), in: files)
        }
        for page in SegmentPage.covering(whole, Int64(range.count)) where !unsettled.contains(page) {
            let start = page.location.position
            let part = range.clamped(to: start..<start + SpaceMap.pageBytes)
            let place = SegmentLocation(segment: segment, position: part.lowerBound)
            try files.sums.complete(place, Int64(part.count), in: files)
        }
    }
}
