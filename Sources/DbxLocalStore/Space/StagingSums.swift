package import DbxSystem
import Synchronization

/// A 4 KiB page of the segment files.
package struct SegmentPage: Hashable, Comparable, Sendable {
    package var segment: Int32
    package var index: Int32

    package static func < (a: Self, b: Self) -> Bool { (a.segment, a.index) < (b.segment, b.index) }

    static func covering(_ location: SegmentLocation, _ length: Int64) -> [SegmentPage] {
        guard length > 0, location.position >= 0 else { return [] }
        let first = location.position / SpaceMap.pageBytes
        let last = (location.position + length - 1) / SpaceMap.pageBytes
        return (first...last).map { SegmentPage(segment: location.segment, index: Int32(truncatingIfNeeded: $0)) }
    }

    var location: SegmentLocation { SegmentLocation(segment: segment, position: Int64(index) * SpaceMap.pageBytes) }
}

/// Checksums of staged bytes, a page each: what the disk has changed is never sent and never shown as if it were right.
///
/// A page's sum covers the bytes that files had in it when the last epoch ended; these are never written in place again. It
/// goes when the page is handed out anew. What came from the log is compared the first time that it is read after a start;
/// what goes up is always compared.
///
/// Thread-safe: one mutex, a leaf, held for look-ups only.
package final class StagingSums: Sendable {
    struct Sum: Hashable, Sendable {
        /// Bytes of the page, from ..< to; none where `to` is 0.
        var from: UInt16 = 0
        var to: UInt16 = 0
        var checksum: UInt32 = 0

        func covers(_ range: Range<Int>) -> Bool { Int(from) <= range.lowerBound && range.upperBound <= Int(to) }
    }

    private struct Segment {
        var sums: [Sum]
        var isDoubted: [Bool]

        init() {
            let pages = Int(SegmentFiles.segmentBytes / SpaceMap.pageBytes)
            sums = Array(repeating: Sum(), count: pages)
            isDoubted = Array(repeating: false, count: pages)
        }
    }

    private let segments = Mutex<[Int32: Segment]>([:])
    /// How many pages came from the log and have not been compared yet.
    private let doubted = Atomic(0)

    init() {}

    func sum(of page: SegmentPage) -> Sum? {
        segments.withLock { segments in
            guard let sum = segments[page.segment]?.sums[Int(page.index)], sum.to > 0 else { return nil }
            return sum
        }
    }

    func set(_ sum: Sum, of page: SegmentPage, isDoubted: Bool = false) {
        segments.withLock { segments in
            let wasDoubted = segments[page.segment]?.isDoubted[Int(page.index)] ?? false
            segments[page.segment, default: Segment()].sums[Int(page.index)] = sum
            segments[page.segment]?.isDoubted[Int(page.index)] = isDoubted
            if wasDoubted != isDoubted { doubted.add(isDoubted ? 1 : -1, ordering: .relaxed) }
        }
    }

    /// Whatever the page held is lost: no bytes have a sum that is not theirs.
    func condemn(_ page: SegmentPage) {
        guard sum(of: page) == nil else { return }
        let zeros = CRC32C.checksum([UInt8](repeating: 0, count: Int(SpaceMap.pageBytes)))
        set(Sum(from: 0, to: UInt16(SpaceMap.pageBytes), checksum: ~zeros), of: page, isDoubted: true)
    }

    func forget(_ page: SegmentPage) {
        guard sum(of: page) != nil else { return }
        set(Sum(), of: page)
    }

    /// Pages of these bytes that are to be compared before their first use.
    package func doubtfulPages(_ location: SegmentLocation, _ length: Int64) -> [SegmentPage] {
        guard doubted.load(ordering: .relaxed) > 0 else { return [] }
        let pages = SegmentPage.covering(location, length)
        return segments.withLock { segments in
            guard let segment = segments[location.segment] else { return [] }
            return pages.filter { segment.isDoubted[Int($0.index)] }
        }
    }

    /// Whether a page is as it was when its sum was made; it is not asked about again then. Reads the page.
    package func verify(_ page: SegmentPage, in files: SegmentFiles) throws(Errno) -> Bool {
        guard let sum = sum(of: page) else { return true }
        let range = Int(sum.from)..<Int(sum.to)
        let bytes = try files.read(count: range.count, at: page.location.advanced(by: Int64(range.lowerBound)))
        guard CRC32C.checksum(bytes) == sum.checksum else { return false }
        segments.withLock { segments in
            guard segments[page.segment]?.sums[Int(page.index)] == sum,
                segments[page.segment]?.isDoubted[Int(page.index)] == true
            else { return }
            segments[page.segment]?.isDoubted[Int(page.index)] = false
            doubted.subtract(1, ordering: .relaxed)
        }
        return true
    }

    /// Throws `badMessage` where bytes that something is about to be made of are not what was written.
    package func check(_ location: SegmentLocation, _ length: Int64, in files: SegmentFiles) throws(Errno) {
        for page in SegmentPage.covering(location, length) where try !verify(page, in: files) { throw .badMessage }
    }

    // MARK: Making sums

    /// Makes the sums that are missing of these bytes, which nothing writes to any more.
    func complete(_ location: SegmentLocation, _ length: Int64, in files: SegmentFiles) throws(Errno) {
        var position = location.position
        let end = location.position + length
        while position < end {
            let stop = min(end, (position / Self.pieceBytes + 1) * Self.pieceBytes)
            let place = SegmentLocation(segment: location.segment, position: position)
            if SegmentPage.covering(place, stop - position).contains(where: { !isComplete($0, position..<stop) }) {
                let bytes = try files.read(count: Int(stop - position), at: place)
                for page in SegmentPage.covering(place, stop - position) { add(bytes, at: position, to: page) }
            }
            position = stop
        }
    }

    /// How much is read at once; whole pages.
    private static let pieceBytes: Int64 = 1 << 20

    private func part(_ range: Range<Int64>, in page: SegmentPage) -> Range<Int> {
        let start = page.location.position
        let part = range.clamped(to: start..<start + SpaceMap.pageBytes)
        return Int(part.lowerBound - start)..<Int(part.upperBound - start)
    }

    private func isDoubted(_ page: SegmentPage) -> Bool {
        segments.withLock { $0[page.segment]?.isDoubted[Int(page.index)] ?? false }
    }

    private func isComplete(_ page: SegmentPage, _ range: Range<Int64>) -> Bool {
        sum(of: page)?.covers(part(range, in: page)) ?? false
    }

    private func add(_ bytes: [UInt8], at position: Int64, to page: SegmentPage) {
        let part = part(position..<position + Int64(bytes.count), in: page)
        let known = sum(of: page)
        if let known, known.covers(part) { return }
        // A file that grows goes on in the page where it ended.
        let continued = known.map { Int($0.to) == part.lowerBound } ?? false
        let skipped = Int(page.location.position - position) + part.lowerBound
        // Safe: the bytes are lent for the call.
        let checksum = unsafe bytes.withUnsafeBytes { bytes in
            unsafe CRC32C.checksum(
                UnsafeRawBufferPointer(rebasing: bytes[skipped..<skipped + part.count]),
                after: continued ? known?.checksum ?? 0 : 0)
        }
        let from = continued ? known?.from ?? 0 : UInt16(part.lowerBound)
        let sum = Sum(from: from, to: UInt16(part.upperBound), checksum: checksum)
        set(sum, of: page, isDoubted: continued && isDoubted(page))
    }
}
