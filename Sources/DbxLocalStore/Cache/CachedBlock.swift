/// Where the plain content of a block, or of a frame of it, lies in the cache.
package struct CachedBlock: Hashable, Sendable {
    package var item: CacheItem
    package var location: SegmentLocation
    package var length: Int64
    /// Whether the bytes have been compared with their checksums since the start (or were written since).
    package var isVerified: Bool

    /// Each of them has a checksum: CRC-32C.
    package static let frameBytes = 64 << 10
}

/// All that is cached, 20 bytes each: with a million of them each byte counts, in memory and in the time of a start.
/// Checksums stay in `state.db`; they are wanted once per block and start.
struct CacheIndex {
    private struct Slot {
        var segment: Int32
        var page: UInt32
        var length: UInt32
        static let verified: UInt32 = 1 << 31
    }

    private var slots: [CacheItem: Slot] = [:]
    /// A bit for each frame that is here, of blocks of which some are.
    private var frames: [BlockNumber: UInt64] = [:]

    var count: Int { slots.count }

    /// Whether a place and a length are such as it can hold.
    static func canHold(_ location: SegmentLocation, _ length: Int64) -> Bool {
        location.holds(length) && location.position % SpaceMap.pageBytes == 0
    }

    mutating func reserveCapacity(_ count: Int) { slots.reserveCapacity(count) }

    func contains(_ item: CacheItem) -> Bool { slots[item] != nil }

    subscript(_ item: CacheItem) -> CachedBlock? { slots[item].map { Self.cached(item, $0) } }

    /// The frames of a block that are here by themselves.
    func frames(of block: BlockNumber) -> [CacheItem] {
        guard var left = frames[block] else { return [] }
        var items: [CacheItem] = []
        while left != 0 {
            items.append(.frame(left.trailingZeroBitCount, of: block))
            left &= left - 1
        }
        return items
    }

    /// What `canHold` says yes to.
    mutating func enter(_ cached: CachedBlock) {
        slots[cached.item] = Slot(
            segment: cached.location.segment, page: UInt32(cached.location.position / SpaceMap.pageBytes),
            length: UInt32(cached.length) | (cached.isVerified ? Slot.verified : 0))
        if let frame = cached.item.frame { frames[cached.item.block, default: 0] |= 1 << UInt64(frame) }
    }

    mutating func markVerified(_ item: CacheItem) { slots[item]?.length |= Slot.verified }
    mutating func distrust(_ item: CacheItem) { slots[item]?.length &= ~Slot.verified }

    mutating func remove(_ item: CacheItem) {
        slots[item] = nil
        guard let frame = item.frame, let left = frames[item.block].map({ $0 & ~(1 << UInt64(frame)) }) else { return }
        frames[item.block] = left == 0 ? nil : left
    }

    var all: [CachedBlock] { slots.map { Self.cached($0, $1) } }

    private static func cached(_ item: CacheItem, _ slot: Slot) -> CachedBlock {
        CachedBlock(
            item: item,
            location: SegmentLocation(segment: slot.segment, position: Int64(slot.page) * SpaceMap.pageBytes),
            length: Int64(slot.length & ~Slot.verified), isVerified: slot.length & Slot.verified != 0)
    }
}
