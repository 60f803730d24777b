package import DbxModel
import DbxSystem
import Foundation

/// What is built in memory when a store is opened.
extension LocalStore {
    func load() throws(StoreError) {
        do {
            // Beyond every epoch that bytes may bear which something has seen: they are never written in place again.
            epoch = try 1 + max(database.lastEpoch, maximum("SELECT max(epoch) FROM commits"))
            try loadCounters()
            try loadPins()
            try loadSpace()
            try loadLostContents()
            try loadLostNames()
            hasRules = try queryOne("SELECT 1 FROM ignore_files LIMIT 1") { _ in true } ?? false
            if database.isAheadOfDisk { distrustDisk() }
            try removeLeftovers()
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The process before this one was killed, perhaps: what it wrote may not be on the disk, and what it freed may be what
    /// a power cut brings back. Both end with the first epoch.
    private func distrustDisk() {
        unsyncedSegments = Set(space.segmentNumbers)
        lastEpochChange = -1
        space.freeze()
    }

    func maximum(_ queries: String...) throws -> Int64 {
        try queries.reduce(0) { result, sql in
            let value: Int64?? = try queryOne(sql) { $0[0] as Int64? }
            return max(result, (value ?? nil) ?? 0)
        }
    }

    private func loadSpace() throws {
        for number in try query("SELECT number FROM segments ORDER BY number", [], { $0[0] as Int64 }) {
            let segment = Int32(truncatingIfNeeded: number)
            if try segments.restore(segment) { restoredSegments.insert(segment) }
            space.addSegment(segment)
        }
        let extents = try query(
            "SELECT start, length, block, segment, place, epoch FROM content WHERE block IS NULL", [], Self.extent)
        for extent in extents {
            retain(extent)
            if case .staging(_, let written) = extent.source { epoch = max(epoch, written + 1) }
        }
        try loadSums(extents)
        try loadCache()
        for number in space.segmentNumbers where try segments.hasHoles(number) { space.giveUpFree(in: number) }
    }

    private func loadCache() throws {
        let count = try queryOne("SELECT count(*) FROM cache") { $0[0] as Int } ?? 0
        cachedBlocks.reserveCapacity(count)
        try database.read("SELECT block, segment, place, length FROM cache", []) { row in
            let segment: Int64 = row[1]
            let cached = CachedBlock(
                item: CacheItem(rawValue: row[0]),
                location: SegmentLocation(segment: Int32(truncatingIfNeeded: segment), position: row[2]),
                length: row[3], isVerified: false)
            guard CacheIndex.canHold(cached.location, cached.length) else {
                throw StoreError.corrupt("a cached block's row")
            }
            space.retain(cached.location, cached.length)
            enter(cached)
            return true
        }
    }

    /// Sums of what is staged, from the log. One that is older than the bytes speaks of what was there before.
    private func loadSums(_ staging: [LocalExtent]) throws {
        guard !staging.isEmpty else { return }
        try loadKnownSums(staging)
        for extent in staging {
            guard case .staging(let location, _) = extent.source, restoredSegments.contains(location.segment) else {
                continue
            }
            for page in SegmentPage.covering(location, extent.length) { segments.sums.condemn(page) }
        }
    }

    private func loadKnownSums(_ staging: [LocalExtent]) throws {
        guard Paths.exists(StagingLog.path(segments.directory)) else { return }
        let last = database.isAheadOfDisk ? Int64.max : database.lastEpoch - 1
        let sums = LoggedSums(try StagingLog.contents(in: segments.directory, upTo: last).batches)
        for extent in staging {
            guard case .staging(let location, let written) = extent.source else { continue }
            for page in SegmentPage.covering(location, extent.length) {
                guard let known = sums[page], known.epoch >= written else { continue }
                segments.sums.set(known.sum, of: page, isDoubted: true)
            }
        }
    }

    /// Orphans that a crash left behind: no program can have them open any more.
    private func removeLeftovers() throws {
        for condition in ["flags & 16 != 0 AND seq = 0", "flags & 16 != 0 AND seq != 0"] {
            for node in try nodes(where: condition, []) { try removeOrphan(node.number) }
        }
        try sweepLocalAttributes()
    }

    /// Makes the root directory when there is none: called with what the server says, once per account.
    package func makeRoot(
        _ id: NodeID, now: Timestamp, knowledge: DirectoryKnowledge = .whole
    ) throws(StoreError) {
        try transaction {
            guard try node(InodeNumber.root) == nil else { return }
            let attributes = NodeAttributes(mode: 0o755, mtime: now, ctime: now, birthTime: now)
            _ = try insert(
                LocalNode(
                    number: .root, id: id, kind: .directory, attributes: attributes, accessTime: now, links: 2,
                    size: 0, allocatedBytes: 0, target: nil, seq: Seq(1), attributesSeq: .zero, contentSeq: .zero,
                    attributesDirty: false, contentDirty: false, baseAttributes: nil, change: 0, contentChange: 0,
                    dirtySince: nil,
                    contentChangedAt: now, syncedSinceChange: false, mtimeIsExplicit: false, isOrphan: false,
                    knowledge: knowledge))
        }
    }
}
