import DbxContent
import DbxLocalStore
import DbxModel
import DbxSystem

/// Reads the staging bytes of a snapshot, in whatever order the blocks want them, and hashes the content as a whole
/// where it is read from front to back. Owned by one thread.
struct SnapshotReader {
    /// A hole of this size takes half a second to hash; the largest file would take hours.
    private static let mostHashedBytes: Int64 = 16 << 40

    let plan: UploadPlan
    private let staging: [LocalExtent]
    private let segments: SegmentFiles
    private let size: Int64
    private var hash: ContentHash?
    private var hashedTo: Int64 = 0

    init(_ snapshot: UploadSnapshot, segments: SegmentFiles, bases: BlockBases? = nil) {
        staging = snapshot.extents.filter(\.isStaging)
        plan = UploadPlan(runs: staging.map(\.range), isNewStream: snapshot.isNewStream) { bases?.block(at: $0) }
        self.segments = segments
        size = snapshot.size
        // All that the file has is read, and in order, when nothing of it stands in blocks.
        let coversFile = snapshot.contentBase == .zero || Self.covers(snapshot)
        let isHashed = snapshot.isNewStream && coversFile && snapshot.size <= Self.mostHashedBytes
        hash = isHashed ? ContentHash() : nil
    }

    private static func covers(_ snapshot: UploadSnapshot) -> Bool {
        guard snapshot.size > 0 else { return true }
        let last = ContentLimits.segmentIndex(of: snapshot.size - 1)
        return snapshot.dirtyStretches.filter { $0 <= last }.count == last + 1
    }

    /// The bytes of `range`, all of which is staging; `badMessage` where they are not what was written.
    mutating func read(_ range: Range<Int64>) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            do throws(Errno) {
                unsafe try fill(
                    UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<range.count]),
                    from: range)
                count = range.count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        extendHash(range, bytes)
        return bytes
    }

    /// `buffer` is as long as `range`.
    private func fill(_ buffer: UnsafeMutableRawBufferPointer, from range: Range<Int64>) throws(Errno) {
        var position = range.lowerBound
        var index = firstExtent(endingAfter: position)
        while position < range.upperBound {
            guard index < staging.count, staging[index].offset <= position,
                case .staging(let location, _) = staging[index].source
            else { throw .ioError }
            let extent = staging[index]
            let end = min(extent.end, range.upperBound)
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[Int(position - range.lowerBound)..<Int(end - range.lowerBound)])
            let place = location.advanced(by: position - extent.offset)
            try segments.sums.check(place, end - position, in: segments)
            unsafe try segments.read(into: part, at: place)
            position = end
            index += 1
        }
    }

    /// The first extent whose end lies behind `offset`.
    private func firstExtent(endingAfter offset: Int64) -> Int {
        var low = 0
        var high = staging.count
        while low < high {
            let middle = (low + high) / 2
            if staging[middle].end > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // MARK: Hash

    private mutating func extendHash(_ range: Range<Int64>, _ bytes: [UInt8]) {
        guard hash != nil else { return }
        guard range.lowerBound >= hashedTo, range.upperBound <= size else {
            hash = nil
            return
        }
        hash?.updateWithZeros(range.lowerBound - hashedTo)
        hash?.update(bytes.span)
        hashedTo = range.upperBound
    }

    /// Nil where the content was not read as a whole.
    mutating func finishHash() -> [UInt8]? {
        hash?.updateWithZeros(size - hashedTo)
        return hash?.finalize()
    }
}
