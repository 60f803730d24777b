/// The checksums of pages with unsent bytes, as the batches of a `StagingLog` tell them.
struct LoggedSums {
    private struct Segment {
        var sums: [StagingSums.Sum]
        /// In which each was made.
        var epochs: [Int64]

        init() {
            sums = Array(repeating: StagingSums.Sum(), count: LoggedSums.pagesPerSegment)
            epochs = Array(repeating: 0, count: LoggedSums.pagesPerSegment)
        }
    }

    private static let pagesPerSegment = Int(SegmentFiles.segmentBytes / SpaceMap.pageBytes)

    private var segments: [Int32: Segment] = [:]

    init() {}

    init(_ batches: [(epoch: Int64, records: [StagingLog.Record])]) {
        for (epoch, records) in batches {
            for record in records { add(record, epoch) }
        }
    }

    subscript(page: SegmentPage) -> (sum: StagingSums.Sum, epoch: Int64)? {
        guard let segment = segments[page.segment], segment.sums.indices.contains(Int(page.index)) else { return nil }
        let sum = segment.sums[Int(page.index)]
        return sum.to > 0 ? (sum, segment.epochs[Int(page.index)]) : nil
    }

    mutating func add(_ record: StagingLog.Record, _ epoch: Int64) {
        switch record {
        case .bytes(_, let range, let location): forget(location, Int64(range.count))
        case .sums(let first, let sums): take(sums, from: first, epoch)
        case .none, .name, .file, .gone, .identity: break
        }
    }

    private mutating func take(_ sums: [StagingSums.Sum], from first: SegmentPage, _ epoch: Int64) {
        guard first.index >= 0, Int(first.index) + sums.count <= Self.pagesPerSegment else { return }
        for (step, sum) in sums.enumerated() where sum.to > 0 {
            segments[first.segment, default: Segment()].sums[Int(first.index) + step] = sum
            segments[first.segment]?.epochs[Int(first.index) + step] = epoch
        }
    }

    /// What a page is said to hold newly, its old sum does not speak of; the new one comes in the same epoch.
    private mutating func forget(_ location: SegmentLocation, _ length: Int64) {
        guard segments[location.segment] != nil, length > 0, location.holds(length) else { return }
        let end = location.position + length
        for index in Int(location.position / SpaceMap.pageBytes)...Int((end - 1) / SpaceMap.pageBytes) {
            guard let known = segments[location.segment]?.sums[index], known.to > 0 else { continue }
            let start = Int64(index) * SpaceMap.pageBytes
            guard location.position < start + Int64(known.to), start + Int64(known.from) < end else { continue }
            segments[location.segment]?.sums[index] = StagingSums.Sum()
        }
    }
}
