import DbxModel
import DbxSystem

/// Bytes: extents, segments, cached blocks.
extension StoreCheck {
    mutating func checkSegments() throws {
        for number in store.space.segmentNumbers {
            let path = "\(store.configuration.directory)/segments/\(number).seg"
            let size = try? OpenFile(path: path, .readOnly).size()
            if size ?? 0 < SegmentFiles.segmentBytes {
                let lost = try store.queryOne(
                    "SELECT count(*) FROM content WHERE block IS NULL AND segment = ?", [Int64(number).sqlValue]
                ) { $0[0] as Int64 }
                try note(
                    .segment,
                    "segment \(number) is \(size == nil ? "missing" : "too short");"
                        + " \(lost ?? 0) ranges of unsent bytes lay in it")
            }
        }
    }

    mutating func checkContent() throws {
        var last: (node: Int64, end: Int64) = (0, 0)
        // A node that has lost its last name has the agreed content again, whatever its size was here.
        var sums: [Int64: Int64] = [:]
        let rows = try store.query(
            """
            SELECT content.start, content.length, content.block, content.segment, content.place, content.epoch,
                content.node, CASE WHEN nodes.flags & 16 != 0 THEN ?1 ELSE nodes.size END, blocks.plain, nodes.kind
            FROM content LEFT JOIN nodes ON nodes.number = content.node LEFT JOIN blocks ON blocks.number = content.block
            ORDER BY content.node, content.start
            """, [Int64.max.sqlValue]
        ) { row -> (LocalExtent, node: Int64, size: Int64?, plain: Int64?, isFile: Bool) in
            (try LocalStore.extent(row), row[6], row[7], row[8], row[9] == Self.fileKind)
        }
        for (extent, node, size, plain, isFile) in rows {
            let place = "the extent at \(extent.offset) of node \(node)"
            if let fault = fault(of: extent, size: size, plain: plain, isFile: isFile) {
                try note(.extent, "\(place) \(fault)")
            }
            if node == last.node, extent.offset < last.end { try note(.extent, "\(place) overlaps the one before") }
            last = (node, extent.end)
            sums[node, default: 0] += extent.length
        }
        try checkAllocation(sums)
    }

    private static var fileKind: Int { NodeKind.allCases.firstIndex(of: .file) ?? 0 }

    private func fault(of extent: LocalExtent, size: Int64?, plain: Int64?, isFile: Bool) -> String? {
        guard let size else { return "belongs to a node that is not there" }
        if !isFile { return "belongs to a node that is no file" }
        if extent.length <= 0 || extent.offset < 0 { return "has no length" }
        if extent.end > size { return "lies behind the end of the file" }
        if ContentLimits.segmentIndex(of: extent.offset) != ContentLimits.segmentIndex(of: extent.end - 1) {
            return "crosses a border of 64 MiB"
        }
        switch extent.source {
        case .staging(let location, _):
            let isInside = location.position >= 0 && location.position + extent.length <= SegmentFiles.segmentBytes
            return isInside && store.space.segmentNumbers.contains(location.segment)
                ? nil : "names bytes outside of the segments"
        case .block(let block, let offset):
            guard let plain else { return "names block \(block.rawValue), which is not known" }
            return offset >= 0 && offset + extent.length <= plain ? nil : "names bytes behind the end of its block"
        }
    }

    private mutating func checkAllocation(_ sums: [Int64: Int64]) throws {
        let said = try store.query("SELECT number, allocated FROM nodes", []) { ($0[0] as Int64, $0[1] as Int64) }
        for (number, allocated) in said where allocated != sums[number] ?? 0 {
            let counted = sums[number] ?? 0
            try note(.allocation, "node \(number) says \(allocated) bytes of content and has \(counted)") { [store] in
                try store.change(InodeNumber(number)) { $0.allocatedBytes = counted }
            }
        }
    }

    /// What is unsent is marked for upload.
    mutating func checkMarks() throws {
        let unmarked = try store.query(
            """
            SELECT DISTINCT content.node, content.start / ?1, nodes.flags & 2 FROM content
            JOIN nodes ON nodes.number = content.node
            WHERE content.block IS NULL AND nodes.flags & 16 = 0 AND (nodes.flags & 2 = 0 OR NOT EXISTS
                (SELECT 1 FROM dirty_stretches WHERE node = content.node AND stretch = content.start / ?1))
            """, [ContentLimits.segmentBytes.sqlValue]
        ) { (InodeNumber($0[0]), $0[1] as Int64) }
        for (number, stretch) in unmarked {
            try note(.unmarked, "unsent bytes of node \(number.rawValue) are not marked for upload") { [store] in
                try store.markForUpload(StretchKey(node: number, index: stretch))
            }
        }
        let lost = try store.query(
            "SELECT DISTINCT node FROM dirty_stretches WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE number = node)", []
        ) { $0[0] as Int64 }
        for number in lost {
            try note(.unmarked, "node \(number), which is not there, is marked for upload") { [store] in
                try store.execute("DELETE FROM dirty_stretches WHERE node = ?", [number.sqlValue])
            }
        }
    }

    /// No page belongs to something cached and to something else.
    mutating func checkSpace() throws {
        var claims = try store.query(
            "SELECT start, length, block, segment, place, epoch FROM content WHERE block IS NULL", [], LocalStore.extent
        ).compactMap { extent -> Claim? in
            guard case .staging(let location, _) = extent.source else { return nil }
            return Claim(location: location, length: extent.length, cached: nil)
        }
        let counted = claims.reduce(0) { $0 + $1.length }
        if counted != store.stagingBytes {
            try note(.space, "the store counts \(store.stagingBytes) unsent bytes and has \(counted)") { [store] in
                store.stagingBytes = counted
            }
        }
        claims += store.cachedBlocks.all.map { Claim(location: $0.location, length: $0.length, cached: $0.item) }
        claims.sort { ($0.location.segment, $0.firstPage) < ($1.location.segment, $1.firstPage) }
        var reach: Claim?
        for claim in claims {
            if let before = reach, before.overlaps(claim), let item = claim.cached ?? before.cached {
                try note(.space, "cached \(item) lies where something else does") { [store] in
                    try store.dropCache(item)
                }
            }
            if reach.map({ $0.location.segment != claim.location.segment || $0.endPage < claim.endPage }) ?? true {
                reach = claim
            }
        }
    }

    private struct Claim {
        var location: SegmentLocation
        var length: Int64
        var cached: CacheItem?

        var firstPage: Int64 { location.position / SpaceMap.pageBytes }
        var endPage: Int64 { (location.position + length + SpaceMap.pageBytes - 1) / SpaceMap.pageBytes }

        func overlaps(_ next: Claim) -> Bool {
            location.segment == next.location.segment && next.firstPage < endPage
        }
    }

    mutating func checkCache() throws {
        for cached in store.cachedBlocks.all.sorted(by: { $0.item.rawValue < $1.item.rawValue }) {
            guard let fault = try fault(of: cached) else { continue }
            try note(.cache, "cached \(cached.item) \(fault)") { [store] in
                try store.dropCache(cached.item)
            }
        }
    }

    /// What is staged is what was written, as far as its pages have checksums.
    mutating func checkStaging() throws {
        let staged = try store.query(
            """
            SELECT start, length, block, segment, place, epoch, node FROM content WHERE block IS NULL ORDER BY node, start
            """, []
        ) { (try LocalStore.extent($0), $0[6] as Int64) }
        for (extent, node) in staged {
            guard case .staging(let location, _) = extent.source else { continue }
            for page in SegmentPage.covering(location, extent.length) {
                guard (try? store.segments.sums.verify(page, in: store.segments)) != true else { continue }
                try note(.staging, "unsent bytes of node \(node) at \(extent.offset) are damaged")
                break
            }
        }
    }

    private func fault(of cached: CachedBlock) throws -> String? {
        guard let block = try store.block(cached.item.block) else { return "is not known" }
        let length = cached.item.frame.map { CachedBlock.range(ofFrame: $0, bytes: block.plainBytes).count }
        guard cached.length > 0 || length == nil, cached.length == length.map(Int64.init) ?? block.plainBytes else {
            return "has another length than the block"
        }
        guard let bytes = try? store.segments.read(count: Int(clamping: cached.length), at: cached.location) else {
            return "cannot be read"
        }
        let sums = stride(from: 0, to: bytes.count, by: CachedBlock.frameBytes).map {
            CRC32C.checksum(Array(bytes[$0..<min(bytes.count, $0 + CachedBlock.frameBytes)]))
        }
        return try sums == store.checksums(of: cached.item) ? nil : "is damaged"
    }
}

extension LocalStore {
    fileprivate func markForUpload(_ key: StretchKey) throws {
        try execute(
            "INSERT INTO dirty_stretches (node, stretch) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [key.node.sqlValue, key.index.sqlValue])
        var node = try existing(key.node)
        markDirty(&node, content: true, now: time.now())
        try save(node)
    }
}
