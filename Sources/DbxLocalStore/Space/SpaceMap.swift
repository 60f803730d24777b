/// Which 4 KiB pages of the segments are taken. A page counts how many ranges touch it; it is free when none does and
/// the epoch in which the last one left is on the disk (docs/DURABILITY.md): until then a crash could bring back a
/// row that names it. A free page may have given its room back to the disk: it is taken only with new room for it.
struct SpaceMap {
    static let pageBytes: Int64 = 4_096
    /// Pages whose room is given back together.
    private static let shortestRun = 16
    private static let pagesPerSegment = Int(SegmentFiles.segmentBytes / pageBytes)
    /// The count of a page that waits for its epoch.
    private static let pending = UInt32.max
    /// The count of a free page whose room is the disk's.
    private static let given = UInt32.max - 1

    /// A class, so that a change costs one look-up whatever the number of pages.
    private final class Segment {
        var pages = [UInt32](repeating: 0, count: SpaceMap.pagesPerSegment)
        /// That have their room.
        var freePages = SpaceMap.pagesPerSegment
        var givenPages = 0
        /// Where the next search begins.
        var cursor = 0
    }

    private var segments: [Int32: Segment] = [:]
    private var order: [Int32] = []
    /// Segments of which nothing is handed out until the first epoch is on the disk.
    private var frozen: Set<Int32> = []
    private var freed: [(segment: Int32, page: Int)] = []
    private var preferred = 0

    private var idlePages = 0
    private var givenPages = 0

    var segmentNumbers: [Int32] { order }
    /// Of pages that nothing touches, those that wait for their epoch included; their room is ours.
    var idleBytes: Int64 { Int64(idlePages) * Self.pageBytes }
    /// Of all pages whose room is ours.
    var heldBytes: Int64 { Int64(order.count) * SegmentFiles.segmentBytes - Int64(givenPages) * Self.pageBytes }

    mutating func addSegment(_ number: Int32) {
        segments[number] = Segment()
        order.append(number)
        idlePages += Self.pagesPerSegment
    }

    var nextSegmentNumber: Int32 { (order.max() ?? 0) + 1 }

    /// Keeps the pages of all segments there are as they are, free ones too.
    mutating func freeze() { frozen = Set(order) }
    mutating func thaw() { frozen = [] }

    /// Finds `length` contiguous bytes on free pages and takes them; nil when no segment has them. `withoutRoom`: also on
    /// pages whose room is the disk's; the caller gets it, or calls `giveUp`.
    mutating func allocate(_ length: Int64, withoutRoom: Bool = false) -> SegmentLocation? {
        if withoutRoom, givenPages == 0 { return nil }
        let needed = Int((length + Self.pageBytes - 1) / Self.pageBytes)
        for step in 0..<order.count {
            let index = (preferred + step) % order.count
            let number = order[index]
            guard !frozen.contains(number), let start = findRun(of: needed, in: number, withoutRoom) else { continue }
            preferred = index
            let location = SegmentLocation(segment: number, position: Int64(start) * Self.pageBytes)
            retain(location, length)
            return location
        }
        return nil
    }

    private func findRun(of needed: Int, in number: Int32, _ withoutRoom: Bool) -> Int? {
        guard let segment = segments[number] else { return nil }
        guard segment.freePages + (withoutRoom ? segment.givenPages : 0) >= needed else { return nil }
        let start =
            Self.search(segment.pages, from: segment.cursor, needed: needed, withoutRoom)
            ?? Self.search(segment.pages, from: 0, needed: needed, withoutRoom)
        if let start { segment.cursor = start + needed }
        return start
    }

    private static func search(_ pages: [UInt32], from first: Int, needed: Int, _ withoutRoom: Bool) -> Int? {
        var run = 0
        var index = first
        while index < pages.count {
            run = pages[index] == 0 || withoutRoom && pages[index] == given ? run + 1 : 0
            index += 1
            if run == needed { return index - needed }
        }
        return nil
    }

    /// One more range touches these bytes.
    mutating func retain(_ location: SegmentLocation, _ length: Int64) { retain(SegmentRange(location, length)) }

    /// One range less touches these bytes.
    mutating func release(_ location: SegmentLocation, _ length: Int64) { release(SegmentRange(location, length)) }

    /// Ranges come in the place of others. Pages of both are not looked at: what takes the place of a large range is often
    /// most of it.
    mutating func exchange(_ old: [SegmentRange], for new: [SegmentRange]) {
        var (leaving, coming) = (old, new)
        if old.count * new.count <= 64 { SegmentRange.dropCommon(&leaving, &coming) }
        for range in coming { retain(range) }
        for range in leaving { release(range) }
    }

    private mutating func retain(_ range: SegmentRange) {
        guard let segment = segments[range.segment] else { return }
        let found = Self.retain(range.pages, &segment.pages)
        segment.freePages -= found.free
        segment.givenPages -= found.given
        idlePages -= found.free + found.pending
        givenPages -= found.given
    }

    private mutating func release(_ range: SegmentRange) {
        guard let segment = segments[range.segment] else { return }
        let before = freed.count
        Self.release(range.pages, &segment.pages) { freed.append((range.segment, $0)) }
        idlePages += freed.count - before
    }

    /// Says how many of the pages nothing had touched. The counts are lent as a whole: a class's property is checked for
    /// conflicting accesses at each of them.
    private static func retain(
        _ range: Range<Int>, _ pages: inout [UInt32]
    ) -> (free: Int, pending: Int, given: Int) {
        var found = (free: 0, pending: 0, given: 0)
        for page in range {
            switch pages[page] {
            case 0: found.free += 1
            case pending: found.pending += 1
            case given: found.given += 1
            case let count:
                pages[page] = count + 1
                continue
            }
            pages[page] = 1
        }
        return found
    }

    /// Tells of each page that nothing touches any more.
    private static func release(_ range: Range<Int>, _ pages: inout [UInt32], _ tell: (Int) -> Void) {
        for page in range {
            switch pages[page] {
            case 0, pending, given: break
            case 1:
                pages[page] = pending
                tell(page)
            case let count: pages[page] = count - 1
            }
        }
    }

    /// Pages freed so far, to be given to `reuse` once the epoch that they were freed in is on the disk.
    mutating func takeFreed() -> [(segment: Int32, page: Int)] {
        defer { freed = [] }
        return freed
    }

    /// How many pages wait to be taken.
    var freedCount: Int { freed.count }

    /// Pages that were freed since there were `count` of them, and have been taken back, were never freed.
    mutating func forgetRevived(after count: Int) {
        guard freed.count > count else { return }
        let pending = freed[count...].filter { segments[$0.segment]?.pages[$0.page] == Self.pending }
        freed.replaceSubrange(count..., with: pending)
    }

    mutating func giveBack(_ pages: [(segment: Int32, page: Int)]) { freed += pages }

    /// Makes pages available that nothing has taken back since they were freed, and returns these.
    mutating func reuse(_ pages: [(segment: Int32, page: Int)]) -> [(segment: Int32, page: Int)] {
        pages.filter { number, page in
            guard let segment = segments[number], segment.pages[page] == Self.pending else { return false }
            segment.pages[page] = 0
            segment.freePages += 1
            return true
        }
    }

    // MARK: Room that is the disk's

    /// Takes free pages whose room is ours: what `bytes` need at most, in runs that are worth a call. `giveUp` ends it.
    mutating func takeIdle(_ bytes: Int64) -> [SegmentRange] {
        var taken: [SegmentRange] = []
        var left = Int((max(0, bytes) + Self.pageBytes - 1) / Self.pageBytes)
        for number in order.reversed() where left > 0 && !frozen.contains(number) {
            for run in freeRuns(in: number) where left > 0 {
                let range = SegmentRange(segment: number, pages: run.prefix(left))
                retain(range)
                taken.append(range)
                left -= range.pages.count
            }
        }
        return taken
    }

    private func freeRuns(in number: Int32) -> [Range<Int>] {
        guard let segment = segments[number], segment.freePages >= Self.shortestRun else { return [] }
        var runs: [Range<Int>] = []
        var start = 0
        for index in 0...Self.pagesPerSegment where index == Self.pagesPerSegment || segment.pages[index] != 0 {
            if index - start >= Self.shortestRun { runs.append(start..<index) }
            start = index + 1
        }
        return runs
    }

    /// Pages that were taken and have no room: they are free, and their room is the disk's.
    mutating func giveUp(_ location: SegmentLocation, _ length: Int64) {
        guard let segment = segments[location.segment] else { return }
        for page in SegmentRange(location, length).pages where segment.pages[page] == 1 {
            segment.pages[page] = Self.given
            segment.givenPages += 1
            givenPages += 1
        }
    }

    /// Of a segment of which it is not known where it has room.
    mutating func giveUpFree(in number: Int32) {
        for run in freeRuns(in: number) {
            let range = SegmentRange(segment: number, pages: run)
            retain(range)
            giveUp(range.location, range.length)
        }
    }

    // MARK: Tests

    /// Whether any page of these bytes is touched by a range; for tests of the invariant.
    func isTaken(_ location: SegmentLocation, _ length: Int64) -> Bool {
        SegmentRange(location, length).pages.contains { page in
            let count = segments[location.segment]?.pages[page] ?? 0
            return count != 0 && count != Self.pending && count != Self.given
        }
    }
}
