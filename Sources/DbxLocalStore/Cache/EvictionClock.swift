/// Second-chance eviction: what came first goes first, but a block that was read since it was looked at last gets another
/// round, a small one two. What is not in the cache any more may still stand in the queue; whoever takes it out finds out.
struct EvictionClock {
    private var queue: [CacheItem] = []
    /// Everything before it was taken out.
    private var head = 0
    private var chances: [CacheItem: UInt8] = [:]

    /// Up to here another look costs a round trip for little room.
    static let smallBlockBytes: Int64 = 64 << 10

    mutating func add(_ item: CacheItem) { queue.append(item) }

    mutating func touch(_ item: CacheItem, bytes: Int64) {
        chances[item] = bytes <= Self.smallBlockBytes ? 2 : 1
    }

    mutating func forget(_ item: CacheItem) { chances[item] = nil }

    /// Takes the next block to evict out; nil when there is none.
    mutating func next() -> CacheItem? {
        defer { compact() }
        while head < queue.count {
            let item = queue[head]
            head += 1
            guard let left = chances[item] else { return item }
            chances[item] = left > 1 ? left - 1 : nil
            queue.append(item)
        }
        return nil
    }

    private mutating func compact() {
        guard head > 1_024, head > queue.count / 2 else { return }
        queue.removeFirst(head)
        head = 0
    }
}
