/// Where the plain content of a block lies in the cache.
package struct CachedBlock: Hashable, Sendable {
    package var block: BlockNumber
    package var location: SegmentLocation
    package var length: Int64
    /// Whether the bytes have been compared with their checksums since the start (or were written since).
    package var isVerified: Bool

    /// Each of them has a checksum: CRC-32C.
    package static let frameBytes = 64 << 10
}

/// All cached blocks, 20 bytes each: with a million of them each byte counts, in memory and in the time of a start.
/// Checksums stay in `state.db`; they are wanted once per block and start.
struct CacheIndex {
    private struct Slot {
        var segment: Int32
        var page: UInt32
        var length: UInt32
        static let verified: UInt32 = 1 << 31
    }

    private var slots: [BlockNumber: Slot] = [:]

    var count: Int { slots.count }

    /// Whether a place and a length are such as it can hold.
    static func canHold(_ location: SegmentLocation, _ length: Int64) -> Bool {
        (0..<SegmentFiles.segmentBytes).contains(location.position) && location.position % SpaceMap.pageBytes == 0
            && (0...SegmentFiles.segmentBytes).contains(length)
    }

    mutating func reserveCapacity(_ count: Int) { slots.reserveCapacity(count) }

    func contains(_ block: BlockNumber) -> Bool { slots[block] != nil }

    subscript(_ block: BlockNumber) -> CachedBlock? { slots[block].map { Self.cached(block, $0) } }

    /// What `canHold` says yes to.
    mutating func enter(_ cached: CachedBlock) {
        slots[cached.block] = Slot(
            segment: cached.location.segment, page: UInt32(cached.location.position / SpaceMap.pageBytes),
            length: UInt32(cached.length) | (cached.isVerified ? Slot.verified : 0))
    }

    mutating func markVerified(_ block: BlockNumber) { slots[block]?.length |= Slot.verified }

    mutating func remove(_ block: BlockNumber) { slots[block] = nil }

    var all: [CachedBlock] { slots.map { Self.cached($0, $1) } }

    private static func cached(_ block: BlockNumber, _ slot: Slot) -> CachedBlock {
        CachedBlock(
            block: block,
            location: SegmentLocation(segment: slot.segment, position: Int64(slot.page) * SpaceMap.pageBytes),
            length: Int64(slot.length & ~Slot.verified), isVerified: slot.length & Slot.verified != 0)
    }
}
