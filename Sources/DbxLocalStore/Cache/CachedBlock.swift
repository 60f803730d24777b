/// Where the plain content of a block lies in the cache.
package struct CachedBlock: Hashable, Sendable {
    package var block: BlockNumber
    package var location: SegmentLocation
    package var length: Int64
    /// CRC-32C of each 64 KiB of the content, to be compared the first time that the bytes are read after a start.
    package var checksums: [UInt32]
    /// Whether the bytes have been compared since the start (or were written since).
    package var isVerified: Bool

    package static let frameBytes = 64 << 10
}

/// Second-chance eviction: a block read since the hand last passed gets another round.
struct EvictionClock {
    private var ring: [BlockNumber] = []
    private var recent: Set<BlockNumber> = []
    private var hand = 0

    mutating func add(_ block: BlockNumber) { ring.append(block) }
    mutating func touch(_ block: BlockNumber) { recent.insert(block) }

    mutating func remove(_ block: BlockNumber) {
        recent.remove(block)
        if let index = ring.firstIndex(of: block) { removeAt(index) }
    }

    /// Takes the next block to evict off the ring; nil when there is none.
    mutating func next() -> BlockNumber? {
        var steps = 0
        while !ring.isEmpty, steps <= 2 * ring.count {
            if hand >= ring.count { hand = 0 }
            let block = ring[hand]
            if recent.remove(block) == nil {
                removeAt(hand)
                return block
            }
            hand += 1
            steps += 1
        }
        return nil
    }

    private mutating func removeAt(_ index: Int) {
        ring.swapAt(index, ring.count - 1)
        ring.removeLast()
    }
}
