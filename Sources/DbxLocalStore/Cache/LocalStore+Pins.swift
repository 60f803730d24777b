package import DbxModel

/// A file, or a folder with all that is or comes below it, that somebody wants to be here always.
package struct Pin: Hashable, Sendable {
    package var node: NodeID
    /// Where it was when it was last seen, from the mounted directory.
    package var path: [UInt8]
    package var since: Timestamp
}

/// What is never evicted. The blocks are those of what lies below pins, as whoever keeps pins has found them; they are
/// kept over restarts, so that nothing pinned is evicted before it has been looked for again.
extension LocalStore {
    package func pins() throws(StoreError) -> [Pin] {
        do {
            return try query("SELECT node, path, since FROM pins ORDER BY path") { row in
                guard let node = NodeID(bytes: row.bytes(0)) else { throw StoreError.corrupt("a pin's row") }
                return Pin(node: node, path: row.bytes(1), since: Timestamp(nanoseconds: row[2]))
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// A new pin, or a new path of one.
    package func putPin(_ node: NodeID, path: [UInt8], now: Timestamp) throws(StoreError) {
        try transaction {
            try execute(
                """
                INSERT INTO pins (node, path, since) VALUES (?, ?, ?)
                ON CONFLICT (node) DO UPDATE SET path = excluded.path
                """, [node.bytes.sqlValue, path.sqlValue, now.nanoseconds.sqlValue])
        }
    }

    package func removePin(_ node: NodeID) throws(StoreError) {
        try transaction { try execute("DELETE FROM pins WHERE node = ?", [node.bytes.sqlValue]) }
    }

    /// Whether the node is pinned, or lies below one that is.
    package func isPinned(_ number: InodeNumber) throws(StoreError) -> Bool {
        let pins = try pins()
        guard !pins.isEmpty else { return false }
        let pinned = Set(pins.map(\.node))
        var seen: Set<InodeNumber> = []
        var current: InodeNumber? = number
        while let next = current, seen.insert(next).inserted {
            if let id = try node(next)?.id, pinned.contains(id) { return true }
            current = try parent(of: next)
        }
        return false
    }

    package func setPinnedBlocks(adding: [BlockNumber], removing: [BlockNumber]) throws(StoreError) {
        try transaction {
            for block in adding {
                try execute("INSERT OR IGNORE INTO pinned_blocks (block) VALUES (?)", [block.rawValue.sqlValue])
            }
            for block in removing {
                try execute("DELETE FROM pinned_blocks WHERE block = ?", [block.rawValue.sqlValue])
            }
        }
        for block in adding where pinnedBlocks.insert(block).inserted {
            pinnedCachedBytes += cachedBlocks[.whole(block)]?.length ?? 0
        }
        for block in removing where pinnedBlocks.remove(block) != nil {
            guard let cached = cachedBlocks[.whole(block)] else { continue }
            pinnedCachedBytes -= cached.length
            evictionClock.add(cached.item)
        }
    }

    /// What pins may take of the cache: the rest is for whatever else is read, or no read would find room.
    package var mostPinnedBytes: Int64 {
        configuration.cacheLimitBytes - min(Self.largestRoomBesidePins, configuration.cacheLimitBytes / 4)
    }

    private static let largestRoomBesidePins: Int64 = 64 << 20

    func isPinned(_ item: CacheItem) -> Bool { item.frame == nil && pinnedBlocks.contains(item.block) }

    /// Pinned blocks go only where they take more than pins may. Those that came in last then stand in the queue still: what
    /// has left it fits.
    func mayEvict(_ block: BlockNumber) -> Bool {
        guard !keptBlocks.contains(block) else { return false }
        return !pinnedBlocks.contains(block) || pinnedCachedBytes > mostPinnedBytes
    }

    package var pinnedBlockNumbers: [BlockNumber] { Array(pinnedBlocks) }

    func loadPins() throws {
        pinnedBlocks = Set(try query("SELECT block FROM pinned_blocks") { BlockNumber(rawValue: $0[0]) })
    }

    private func isKept(_ block: BlockNumber) -> Bool {
        pinnedBlocks.contains(block) || keptBlocks.contains(block)
    }

    /// Gives a cached block's room back to the disk unless it is pinned; how much that is. It comes with the next epoch.
    package func evict(_ block: BlockNumber) throws(StoreError) -> Int64 {
        guard !isKept(block) else { return 0 }
        let before = cachedBytes
        try dropCache(block)
        if cachedBytes < before { statistics.evictedBlocks += 1 }
        promisedRoom += before - cachedBytes
        return before - cachedBytes
    }

    /// Where a file's content is, holes left out.
    package func content(of number: InodeNumber) throws(StoreError) -> NodeContent {
        do {
            let staged = try queryOne(
                "SELECT sum(length) FROM content WHERE node = ? AND block IS NULL", [number.sqlValue]
            ) { $0[0] as Int64? }
            let blocks = try query(
                """
                SELECT block, sum(length) FROM content WHERE node = ? AND block IS NOT NULL
                GROUP BY block ORDER BY min(start)
                """, [number.sqlValue]
            ) { row in
                let block = BlockNumber(rawValue: row[0])
                return ContentBlock(
                    number: block, bytes: row[1], cachedBytes: cachedBlocks[.whole(block)]?.length,
                    frameBytes: cachedBlocks.frames(of: block).reduce(0) { $0 + (cachedBlocks[$1]?.length ?? 0) },
                    isPinned: pinnedBlocks.contains(block))
            }
            return NodeContent(number: number, stagingBytes: (staged ?? nil) ?? 0, blocks: blocks)
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The contents of files behind `number`, in their order: those of about `limit` extents.
    package func contents(behind number: InodeNumber, limit: Int) throws(StoreError) -> [NodeContent] {
        do {
            var nodes = try query(
                "SELECT node FROM content WHERE node > ? ORDER BY node LIMIT ?",
                [number.sqlValue, Int64(clamping: limit).sqlValue]
            ) { InodeNumber($0[0]) }
            var seen: Set<InodeNumber> = []
            nodes.removeAll { !seen.insert($0).inserted }
            return try nodes.map { try content(of: $0) }
        } catch {
            throw Self.storeError(error)
        }
    }
}

package struct ContentBlock: Hashable, Sendable {
    package var number: BlockNumber
    /// Of the file's content.
    package var bytes: Int64
    /// What the whole of it takes in the cache; nil where it is not there.
    package var cachedBytes: Int64?
    /// What frames of it take there.
    package var frameBytes: Int64
    package var isPinned: Bool
}

package struct NodeContent: Hashable, Sendable {
    package var number: InodeNumber
    package var stagingBytes: Int64
    package var blocks: [ContentBlock]
}
