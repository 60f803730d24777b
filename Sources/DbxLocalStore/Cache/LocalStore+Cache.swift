package import DbxModel
import DbxSystem

/// What a client knows of a block besides its bytes.
package struct AgreedBlock: Hashable, Sendable {
    package var id: BlockID
    /// The sealed (K_b ‖ h) and the key that it is sealed under.
    package var wrap: [UInt8]
    package var key: KeyID
    package var plainBytes: Int64
    package var storedBytes: Int64
    /// The block that it is encoded against, if any; that one has no base.
    package var base: BlockID?

    package init(
        id: BlockID, wrap: [UInt8], key: KeyID, plainBytes: Int64, storedBytes: Int64, base: BlockID? = nil
    ) {
        self.base = base
        self.id = id
        self.wrap = wrap
        self.key = key
        self.plainBytes = plainBytes
        self.storedBytes = storedBytes
    }
}

extension LocalStore {
    // MARK: Index

    /// Enters blocks that the server has, or, where not `areAgreed`, will have with the commit that names them.
    package func putBlocks(_ blocks: [AgreedBlock], areAgreed: Bool = true) throws(StoreError) {
        try transaction {
            for block in blocks {
                try execute(
                    """
                    INSERT INTO blocks (id, wrap, wrap_key, plain, stored, agreed, base) VALUES (?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (id) DO UPDATE SET agreed = 1 WHERE agreed < excluded.agreed
                    """,
                    [
                        block.id.bytes.sqlValue, block.wrap.sqlValue, block.key.bytes.sqlValue,
                        block.plainBytes.sqlValue, block.storedBytes.sqlValue, (areAgreed ? 1 : 0).sqlValue,
                        block.base.map { $0.bytes.sqlValue } ?? .null,
                    ])
            }
        }
    }

    /// The number of a block that the server has.
    package func agreedBlockNumber(_ id: BlockID) throws(StoreError) -> BlockNumber? {
        do {
            return try queryOne("SELECT number FROM blocks WHERE id = ? AND agreed = 1", [id.bytes.sqlValue]) {
                BlockNumber(rawValue: $0[0])
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func blockNumber(_ id: BlockID) throws(StoreError) -> BlockNumber? {
        do {
            return try queryOne("SELECT number FROM blocks WHERE id = ?", [id.bytes.sqlValue]) {
                BlockNumber(rawValue: $0[0])
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func block(_ number: BlockNumber) throws(StoreError) -> AgreedBlock? {
        do {
            return try queryOne(
                "SELECT id, wrap, wrap_key, plain, stored, base FROM blocks WHERE number = ?",
                [number.rawValue.sqlValue]
            ) { row in
                guard let id = BlockID(bytes: row.bytes(0)), let key = KeyID(bytes: row.bytes(2)) else {
                    throw StoreError.corrupt("a block's row")
                }
                return AgreedBlock(
                    id: id, wrap: row.bytes(1), key: key, plainBytes: row[3], storedBytes: row[4],
                    base: row.bytesIfPresent(5).flatMap { BlockID(bytes: $0) })
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The length of a block's stored form; nil for a block that is encoded against another one.
    package func storedBytesOfPlainBlock(_ number: BlockNumber) throws(StoreError) -> Int64? {
        do {
            return try queryOne(
                "SELECT stored FROM blocks WHERE number = ? AND base IS NULL", [number.rawValue.sqlValue]
            ) { $0[0] }
        } catch {
            throw Self.storeError(error)
        }
    }

    // MARK: Cache

    /// Where a block lies in the cache; nil when it has to be fetched. Counts as a use.
    package func cached(_ block: BlockNumber) -> CachedBlock? {
        guard let cached = cachedBlocks[block] else { return nil }
        evictionClock.touch(block, bytes: cached.length)
        return cached
    }

    /// Whether a block is in the cache; no use of it.
    package func isCached(_ block: BlockNumber) -> Bool { cachedBlocks.contains(block) }

    /// Room for a block's content; evicts others to stay under the limit. Write there without the lock, then call
    /// `commitCache` or `abandonCache`. `noSpace`: an epoch may give back what has been evicted.
    package func reserveCache(bytes: Int64) throws(StoreError) -> SegmentLocation {
        while cachedBytes + reservedCacheBytes + bytes > configuration.cacheLimitBytes {
            guard try evictOne() else { throw .noSpace }
        }
        let location = try allocate(bytes, forStaging: false)
        reservedCacheBytes += bytes
        return location
    }

    package func abandonCache(_ location: SegmentLocation, bytes: Int64) {
        reservedCacheBytes -= bytes
        space.release(location, bytes)
    }

    /// Enters a block whose content has been written to `location`. One that came meanwhile stays.
    package func commitCache(
        _ block: BlockNumber, at location: SegmentLocation, bytes: Int64, checksums: [UInt32]
    ) throws(StoreError) {
        if cachedBlocks.contains(block) { return abandonCache(location, bytes: bytes) }
        try transaction {
            try execute(
                "INSERT INTO cache (block, segment, place, length, checksums) VALUES (?, ?, ?, ?, ?)",
                [
                    block.rawValue.sqlValue, Int64(location.segment).sqlValue,
                    location.position.sqlValue, bytes.sqlValue,
                    checksums.flatMap(\.bigEndianBytes).sqlValue,
                ])
        }
        reservedCacheBytes -= bytes
        enter(CachedBlock(block: block, location: location, length: bytes, isVerified: true))
    }

    func enter(_ cached: CachedBlock) {
        cachedBlocks.enter(cached)
        evictionClock.add(cached.block)
        cachedBytes += cached.length
    }

    /// Of each 64 KiB of a cached block's content; none where it is not cached.
    package func checksums(of block: BlockNumber) throws(StoreError) -> [UInt32] {
        do {
            let sums = try queryOne("SELECT checksums FROM cache WHERE block = ?", [block.rawValue.sqlValue]) {
                $0.bytes(0)
            }
            guard let sums else { return [] }
            return stride(from: 0, to: sums.count, by: 4).map {
                UInt32(truncatingIfNeeded: sums[$0..<min($0 + 4, sums.count)].bigEndianValue)
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The bytes have been compared with their checksums.
    package func markVerified(_ block: BlockNumber) { cachedBlocks.markVerified(block) }

    /// Forgets a cached block, because it was found damaged.
    package func dropCache(_ block: BlockNumber) throws(StoreError) { try forget(block) }

    /// Makes cached blocks give up `bytes` in all, as far as there are any.
    func evict(_ bytes: Int64) throws(StoreError) {
        let target = max(0, cachedBytes - bytes)
        while cachedBytes > target, try evictOne() {}
    }

    private func evictOne() throws(StoreError) -> Bool {
        while let block = evictionClock.next() {
            // A pinned block comes back into the queue when it is pinned no more.
            guard cachedBlocks.contains(block), !pinnedBlocks.contains(block) else { continue }
            statistics.evictedBlocks += 1
            try forget(block)
            return true
        }
        return false
    }

    private func forget(_ block: BlockNumber) throws(StoreError) {
        guard let cached = cachedBlocks[block] else { return }
        try transaction { try execute("DELETE FROM cache WHERE block = ?", [block.rawValue.sqlValue]) }
        cachedBlocks.remove(block)
        evictionClock.forget(block)
        cachedBytes -= cached.length
        space.release(cached.location, cached.length)
    }
}
