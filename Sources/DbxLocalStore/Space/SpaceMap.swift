/// Which 4 KiB pages of the segments are taken. A page counts how many ranges touch it; it is free when none does and
/// the epoch in which the last one left is on the disk (docs/DURABILITY.md): until then a crash could bring back a
/// row that names it.
struct SpaceMap {
    static let pageBytes: Int64 = 4_096
    private static let pagesPerSegment = Int(SegmentFiles.segmentBytes / pageBytes)
    /// The count of a page that waits for its epoch.
    private static let pending = UInt32.max

    /// A class, so that a change costs one look-up whatever the number of pages.
    private final class Segment {
        var pages = [UInt32](repeating: 0, count: SpaceMap.pagesPerSegment)
        var freePages = SpaceMap.pagesPerSegment
        /// Where the next search begins.
        var cursor = 0
    }

    private var segments: [Int32: Segment] = [:]
    private var order: [Int32] = []
    /// Segments of which nothing is handed out until the first epoch is on the disk.
    private var frozen: Set<Int32> = []
    private var freed: [(segment: Int32, page: Int)] = []
    private var preferred = 0

    /// Bytes of pages that nothing touches, those that wait for their epoch included.
    private(set) var idlePages = 0

    var segmentNumbers: [Int32] { order }
    var idleBytes: Int64 { Int64(idlePages) * Self.pageBytes }

    mutating func addSegment(_ number: Int32) {
        segments[number] = Segment()
        order.append(number)
        idlePages += Self.pagesPerSegment
    }

    var nextSegmentNumber: Int32 { (order.max() ?? 0) + 1 }

    private static func pages(_ location: SegmentLocation, _ length: Int64) -> Range<Int> {
        Int(location.position / pageBytes)..<Int((location.position + length + pageBytes - 1) / pageBytes)
    }

    /// Keeps the pages of all segments there are as they are, free ones too.
    mutating func freeze() { frozen = Set(order) }
    mutating func thaw() { frozen = [] }

    /// Finds `length` contiguous bytes on free pages and takes them; nil when no segment has them.
    mutating func allocate(_ length: Int64) -> SegmentLocation? {
        let needed = Int((length + Self.pageBytes - 1) / Self.pageBytes)
        for step in 0..<order.count {
            let index = (preferred + step) % order.count
            let number = order[index]
            guard !frozen.contains(number), let start = findRun(of: needed, in: number) else { continue }
            preferred = index
            let location = SegmentLocation(segment: number, position: Int64(start) * Self.pageBytes)
            retain(location, length)
            return location
        }
        return nil
    }

    private mutating func findRun(of needed: Int, in number: Int32) -> Int? {
        guard let segment = segments[number], segment.freePages >= needed else { return nil }
        let start =
            Self.search(segment.pages, from: segment.cursor, needed: needed)
            ?? Self.search(segment.pages, from: 0, needed: needed)
        if let start { segments[number]?.cursor = start + needed }
        return start
    }

    private static func search(_ pages: [UInt32], from first: Int, needed: Int) -> Int? {
        var run = 0
        var index = first
        while index < pages.count {
            run = pages[index] == 0 ? run + 1 : 0
            index += 1
            if run == needed { return index - needed }
        }
        return nil
    }

    /// One more range touches these bytes.
    mutating func retain(_ location: SegmentLocation, _ length: Int64) {
        guard let segment = segments[location.segment] else { return }
        for page in Self.pages(location, length) {
            switch segment.pages[page] {
            case 0:
                segment.freePages -= 1
                idlePages -= 1
                segment.pages[page] = 1
            case Self.pending:
                idlePages -= 1
                segment.pages[page] = 1
            case let count: segment.pages[page] = count + 1
            }
        }
    }

    /// One range less touches these bytes.
    mutating func release(_ location: SegmentLocation, _ length: Int64) {
        guard let segment = segments[location.segment] else { return }
        for page in Self.pages(location, length) {
            switch segment.pages[page] {
            case 0, Self.pending: break
            case 1:
                segment.pages[page] = Self.pending
                freed.append((location.segment, page))
                idlePages += 1
            case let count: segment.pages[page] = count - 1
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

    /// Whether any page of these bytes is touched by a range; for tests of the invariant.
    func isTaken(_ location: SegmentLocation, _ length: Int64) -> Bool {
        Self.pages(location, length).contains { page in
            let count = segments[location.segment]?.pages[page] ?? 0
            return count != 0 && count != Self.pending
        }
    }

    /// Segments in which nothing is taken or pending.
    var emptySegments: [Int32] { order.filter { segments[$0]?.freePages == Self.pagesPerSegment } }

    mutating func removeSegment(_ number: Int32) {
        segments[number] = nil
        order.removeAll { $0 == number }
        idlePages -= Self.pagesPerSegment
        preferred = 0
    }
}
