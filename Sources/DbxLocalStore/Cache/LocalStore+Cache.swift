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

    package func isAgreed(_ block: BlockNumber) throws(StoreError) -> Bool {
        do {
            return try queryOne("SELECT agreed FROM blocks WHERE number = ?", [block.rawValue.sqlValue]) {
                $0[0] as Int64
            }
                == 1
        } catch {
            throw Self.storeError(error)
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

    /// How long a block's content and its stored form are; nil for a block that is encoded against another one.
    package func lengthsOfPlainBlock(_ number: BlockNumber) throws(StoreError) -> (plain: Int64, stored: Int64)? {
        do {
            return try queryOne(
                "SELECT plain, stored FROM blocks WHERE number = ? AND base IS NULL", [number.rawValue.sqlValue]
            ) { ($0[0], $0[1]) }
        } catch {
            throw Self.storeError(error)
        }
    }

    // MARK: Cache

    /// Where a block, or a frame of it, lies in the cache; nil when it has to be fetched. Counts as a use.
    package func cached(_ item: CacheItem) -> CachedBlock? {
        guard let cached = cachedBlocks[item] else { return nil }
        evictionClock.touch(item, bytes: cached.length)
        return cached
    }

    package func cached(_ block: BlockNumber) -> CachedBlock? { cached(.whole(block)) }

    /// Whether a whole block is in the cache; no use of it.
    package func isCached(_ block: BlockNumber) -> Bool { cachedBlocks.contains(.whole(block)) }

    /// What has to be fetched for a part to be here; nil when nothing has. No use of it.
    package func missing(of part: BlockPart) -> BlockPart? {
        guard !isCached(part.block) else { return nil }
        guard let frames = part.frames else { return part }
        func isMissing(_ frame: Int) -> Bool { !cachedBlocks.contains(.frame(frame, of: part.block)) }
        guard let first = frames.first(where: isMissing), let last = frames.last(where: isMissing) else { return nil }
        return BlockPart(part.block, frames: first..<last + 1)
    }

    /// How much of the given content of a block is in the cache.
    package func cachedBytes(of range: Range<Int64>, in block: BlockNumber) -> Int64 {
        if isCached(block) { return Int64(range.count) }
        return cachedBlocks.frames(of: block).reduce(0) { sum, item in
            let frame = item.frame.map { CachedBlock.range(ofFrame: $0, bytes: range.upperBound) } ?? 0..<0
            return sum + Int64(frame.clamped(to: range).count)
        }
    }

    /// Room for a block's content; evicts others to stay under the limit. Write there without the lock, then call
    /// `commitCache` or `abandonCache`. `noSpace`: an epoch may give back what has been evicted.
    ///
    /// - Parameter isAwaited: false for what nobody waits for, which gets nothing of the room that pins must leave.
    package func reserveCache(bytes: Int64, isAwaited: Bool = true) throws(StoreError) -> SegmentLocation {
        guard isAwaited || pinnedCachedBytes + bytes <= mostPinnedBytes else { throw .noSpace }
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

    /// Enters a block whose content has been written to `location`; frames of it that were here go. One that came
    /// meanwhile stays.
    package func commitCache(
        _ block: BlockNumber, at location: SegmentLocation, bytes: Int64, checksums: [UInt32]
    ) throws(StoreError) {
        if isCached(block) { return abandonCache(location, bytes: bytes) }
        let frames = cachedBlocks.frames(of: block)
        let cached = CachedBlock(item: .whole(block), location: location, length: bytes, isVerified: true)
        try transaction {
            for frame in frames { try deleteRow(of: frame) }
            try insertRow(of: cached, checksums[...])
        }
        for frame in frames { leave(frame) }
        reservedCacheBytes -= bytes
        enter(cached)
    }

    /// Enters frames of a block, one behind the other at `location`. Those that came meanwhile stay.
    package func commitCache(
        frames: Range<Int>, of block: BlockNumber, at location: SegmentLocation, bytes: Int64, checksums: [UInt32]
    ) throws(StoreError) {
        if isCached(block) { return abandonCache(location, bytes: bytes) }
        let pieces = frames.enumerated().map { index, frame in
            let place = CachedBlock.range(ofFrame: index, bytes: bytes)
            return CachedBlock(
                item: .frame(frame, of: block), location: location.advanced(by: place.lowerBound),
                length: Int64(place.count), isVerified: true)
        }
        let isNew = pieces.map { !cachedBlocks.contains($0.item) }
        try transaction {
            for (index, piece) in pieces.enumerated() where isNew[index] {
                try insertRow(of: piece, checksums[index...index])
            }
        }
        reservedCacheBytes -= bytes
        for (index, piece) in pieces.enumerated() {
            if isNew[index] { enter(piece) } else { space.release(piece.location, piece.length) }
        }
    }

    private func insertRow(of cached: CachedBlock, _ checksums: ArraySlice<UInt32>) throws {
        try execute(
            "INSERT INTO cache (block, segment, place, length, checksums) VALUES (?, ?, ?, ?, ?)",
            [
                cached.item.rawValue.sqlValue, Int64(cached.location.segment).sqlValue,
                cached.location.position.sqlValue, cached.length.sqlValue,
                checksums.flatMap(\.bigEndianBytes).sqlValue,
            ])
    }

    private func deleteRow(of item: CacheItem) throws {
        try execute("DELETE FROM cache WHERE block = ?", [item.rawValue.sqlValue])
    }

    func enter(_ cached: CachedBlock) {
        cachedBlocks.enter(cached)
        evictionClock.add(cached.item)
        cachedBytes += cached.length
        if isPinned(cached.item) { pinnedCachedBytes += cached.length }
    }

    /// Of each 64 KiB of what is cached; none where it is not.
    package func checksums(of item: CacheItem) throws(StoreError) -> [UInt32] {
        do {
            let sums = try queryOne("SELECT checksums FROM cache WHERE block = ?", [item.rawValue.sqlValue]) {
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
    package func markVerified(_ item: CacheItem) { cachedBlocks.markVerified(item) }

    /// The disk has failed to read it: it is to be compared with its checksums again.
    package func distrust(_ item: CacheItem) { cachedBlocks.distrust(item) }

    /// Forgets something cached, because it was found damaged.
    package func dropCache(_ item: CacheItem) throws(StoreError) { try forget(item) }

    /// Forgets all that is cached of a block.
    package func dropCache(_ block: BlockNumber) throws(StoreError) {
        for item in cachedBlocks.frames(of: block) + [.whole(block)] { try forget(item) }
    }

    /// Makes what is cached give up `bytes` in all, as far as there are any.
    func evict(_ bytes: Int64) throws(StoreError) {
        let target = max(0, cachedBytes - bytes)
        while cachedBytes > target, try evictOne() {}
    }

    private func evictOne() throws(StoreError) -> Bool {
        while let item = evictionClock.next() {
            // A pinned block comes back into the queue when it is pinned no more. Its frames only wait for the whole of it.
            guard cachedBlocks.contains(item), item.frame != nil || mayEvict(item.block) else { continue }
            statistics.evictedBlocks += 1
            try forget(item)
            return true
        }
        return false
    }

    private func forget(_ item: CacheItem) throws(StoreError) {
        guard cachedBlocks.contains(item) else { return }
        try transaction { try deleteRow(of: item) }
        leave(item)
    }

    private func leave(_ item: CacheItem) {
        guard let cached = cachedBlocks[item] else { return }
        cachedBlocks.remove(item)
        evictionClock.forget(item)
        cachedBytes -= cached.length
        if isPinned(item) { pinnedCachedBytes -= cached.length }
        space.release(cached.location, cached.length)
    }
}
