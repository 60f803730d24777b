import DbxModel
import DbxSystem
import Foundation
import Testing

@testable import DbxLocalStore

@Suite struct EvictionTests {
    @Test func `What was not read since the hand passed goes first, and small blocks outlive large ones`() {
        var clock = EvictionClock()
        let blocks = (0..<5).map { CacheItem.whole(BlockNumber(rawValue: $0)) }
        for block in blocks { clock.add(block) }
        clock.touch(blocks[0], bytes: 4_096)
        clock.touch(blocks[1], bytes: 4 << 20)
        clock.touch(blocks[3], bytes: 4_096)
        clock.forget(blocks[3])
        var order: [CacheItem] = []
        while let block = clock.next() { order.append(block) }
        #expect(order == [2, 3, 4, 1, 0].map { blocks[$0] })
    }

    @Test func `What was just fetched ahead is not the next to go`() {
        var clock = EvictionClock()
        for index in 0..<5_000 {
            clock.add(.whole(BlockNumber(rawValue: Int64(index))))
            if index >= 100 { #expect(clock.next() == .whole(BlockNumber(rawValue: Int64(index - 100)))) }
        }
    }

    @Test func `Pinned blocks are never evicted, over a restart too, and can be again when they are pinned no more`()
        throws
    {
        let directory = NSTemporaryDirectory() + "/dbxfs-evict-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let configuration = StoreConfiguration(
            directory: directory, cacheLimitBytes: 100 * 4_096, freeSpaceFloorBytes: 0)
        let pinned = try { () throws -> [BlockNumber] in
            let store = try LocalStore(configuration)
            try store.makeRoot(NodeID(high: 1, low: 1), now: SystemTime().now())
            let blocks = try (0..<60).map { try Self.cache($0, in: store) }
            try store.setPinnedBlocks(adding: Array(blocks[10..<50]), removing: [])
            let ticket = try store.beginEpoch()
            try ticket.sync(store.segments)
            store.finishEpoch(ticket)
            return Array(blocks[10..<50])
        }()
        let store = try LocalStore(configuration)
        for index in 100..<300 { _ = try? Self.cache(index, in: store) }
        #expect(pinned.allSatisfy { store.isCached($0) })
        #expect(store.cachedBytes <= configuration.cacheLimitBytes && store.statistics.evictedBlocks > 50)
        #expect(try store.evict(pinned[0]) == 0)

        try store.setPinnedBlocks(adding: [], removing: pinned)
        for index in 300..<600 { _ = try? Self.cache(index, in: store) }
        #expect(!pinned.contains { store.isCached($0) })
    }

    @Test(arguments: [false, true])
    func `However much is pinned, whatever else is read finds room`(restarts: Bool) throws {
        let directory = NSTemporaryDirectory() + "/dbxfs-evict-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let configuration = StoreConfiguration(
            directory: directory, cacheLimitBytes: 100 * 4_096, freeSpaceFloorBytes: 0)
        func open() throws -> LocalStore {
            let store = try LocalStore(configuration)
            try store.makeRoot(NodeID(high: 1, low: 1), now: SystemTime().now())
            return store
        }
        var store: LocalStore? = try open()
        // All of what is here, and what programs read of it while nothing else has room.
        let pinned = try (0..<100).map { try Self.cache($0, in: store!) }
        try store!.setPinnedBlocks(adding: pinned, removing: [])
        #expect(store!.pinnedCachedBytes == 100 * 4_096)
        if restarts {
            store = nil
            store = try LocalStore(configuration)
            #expect(store!.pinnedCachedBytes == 100 * 4_096)
        }
        let other = store!
        #expect(throws: StoreError.noSpace) { _ = try other.reserveCache(bytes: 4_096, isAwaited: false) }
        for index in 100..<300 {
            let block = try Self.cache(index, in: other)
            #expect(other.isCached(block))
            #expect(other.cachedBytes <= configuration.cacheLimitBytes)
        }
        #expect(pinned.count { other.isCached($0) } == 75)
        #expect(other.pinnedCachedBytes == 75 * 4_096 && other.mostPinnedBytes == 75 * 4_096)
        #expect(throws: StoreError.noSpace) { _ = try other.reserveCache(bytes: 4_096, isAwaited: false) }

        try other.setPinnedBlocks(adding: [], removing: Array(pinned.filter { other.isCached($0) }.prefix(10)))
        #expect(other.pinnedCachedBytes == 65 * 4_096)
        other.abandonCache(try other.reserveCache(bytes: 4_096, isAwaited: false), bytes: 4_096)
    }

    @Test func `Room for blocks on their way counts towards the limit`() throws {
        let directory = NSTemporaryDirectory() + "/dbxfs-evict-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = try LocalStore(
            StoreConfiguration(directory: directory, cacheLimitBytes: 10 * 4_096, freeSpaceFloorBytes: 0))
        try store.makeRoot(NodeID(high: 1, low: 1), now: SystemTime().now())
        let cached = try (0..<8).map { try Self.cache($0, in: store) }
        let places = try (0..<10).map { _ in try store.reserveCache(bytes: 4_096) }
        #expect(!cached.contains { store.isCached($0) })
        #expect(throws: StoreError.noSpace) { _ = try store.reserveCache(bytes: 1) }
        for place in places { store.abandonCache(place, bytes: 4_096) }
        _ = try Self.cache(100, in: store)
        #expect(store.cachedBytes == 4_096)
    }

    /// A block of one page in the cache.
    private static func cache(_ index: Int, in store: LocalStore) throws -> BlockNumber {
        let id = BlockID(bytes: Array(repeating: 0, count: 24) + UInt64(index).bigEndianBytes)!
        try store.putBlocks([
            AgreedBlock(id: id, wrap: [1], key: KeyID(high: 1, low: 1), plainBytes: 4_096, storedBytes: 4_200)
        ])
        let number = try #require(try store.blockNumber(id))
        var location = try? store.reserveCache(bytes: 4_096)
        if location == nil {
            // What was evicted comes back with an epoch.
            let ticket = try store.beginEpoch()
            try ticket.sync(store.segments)
            store.finishEpoch(ticket)
            location = try store.reserveCache(bytes: 4_096)
        }
        try store.commitCache(number, at: try #require(location), bytes: 4_096, checksums: [0])
        return number
    }
}
