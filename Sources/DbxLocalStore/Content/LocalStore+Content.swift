package import DbxModel

/// The content of regular files: byte-granular extents, kept per 64 MiB stretch in memory and a row each in the database.
extension LocalStore {
    /// The extents within `range`, cut at its borders, in order; gaps are holes.
    package func content(_ number: InodeNumber, _ range: Range<Int64>) throws(StoreError) -> [LocalExtent] {
        do {
            guard range.count <= 4 * Int(ContentLimits.segmentBytes) else {
                return try rows(of: number, in: range).map { $0.clipped(to: range) }
            }
            return try StretchKey.covering(number, range).flatMap { try stretch($0).slice(range) }
        } catch {
            throw Self.storeError(error)
        }
    }

    func stretch(_ key: StretchKey) throws -> [LocalExtent] {
        if let known = stretches[key] { return known }
        let isEmpty = try node(key.node)?.allocatedBytes == 0
        let extents = isEmpty ? [] : try rows(of: key.node, in: key.range)
        if stretches.count >= 4_096 { stretches.removeAll(keepingCapacity: true) }
        stretches[key] = extents
        return extents
    }

    /// Whole extents that overlap `range`. None is longer than a stretch, so the search begins one before.
    private func rows(of number: InodeNumber, in range: Range<Int64>) throws -> [LocalExtent] {
        try query(
            """
            SELECT start, length, block, segment, place, epoch FROM content
            WHERE node = ? AND start >= ? AND start < ? AND start + length > ? ORDER BY start
            """,
            [
                number.sqlValue, (range.lowerBound - ContentLimits.segmentBytes).sqlValue,
                range.upperBound.sqlValue, range.lowerBound.sqlValue,
            ], Self.extent)
    }

    static func extent(_ row: SQLRow) throws -> LocalExtent {
        let block: Int64? = row[2]
        let segment: Int64? = row[3]
        let source: LocalExtent.Source
        if let block {
            source = .block(BlockNumber(rawValue: block), offset: row[4])
        } else if let segment {
            source = .staging(
                SegmentLocation(segment: Int32(truncatingIfNeeded: segment), position: row[4]), epoch: row[5])
        } else {
            throw StoreError.corrupt("an extent's row")
        }
        let extent = LocalExtent(offset: row[0], length: row[1], source: source)
        guard extent.isPossible else { throw StoreError.corrupt("an extent's row") }
        return extent
    }

    // MARK: Local changes

    /// Enters bytes that have been written to `range` into the file; size and times follow. False where a snapshot has
    /// come to see what the bytes replaced in place: the caller abandons the range and writes again to a new one.
    package func recordWrite(
        _ number: InodeNumber, offset: Int64, length: Int64, range: StagingRange, now: Timestamp
    ) throws(StoreError) -> Bool {
        if try isStale(range, at: offset, of: number) { return false }
        try transaction {
            var node = try existing(number)
            if !range.isInPlace {
                let extent = LocalExtent(
                    offset: offset, length: length, source: .staging(range.location, epoch: epoch))
                let pieces = StretchKey.covering(number, extent.range).map { extent.clipped(to: $0.range) }
                try splice(&node, extent.range, pieces)
            }
            settleReservation(range)
            unsyncedSegments.insert(range.location.segment)
            node.size = max(node.size, offset + length)
            try saveContentChange(&node, now: now)
        }
        return true
    }

    /// Cuts or extends; what is beyond the end is a hole. To the size that the file has is no edit: only the times change.
    package func truncate(_ number: InodeNumber, to size: Int64, now: Timestamp) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            guard size != node.size else {
                markDirty(&node, attributes: true, now: now)
                node.attributes.mtime = now
                node.attributes.ctime = now
                return try save(node)
            }
            try markStretch(number, at: min(size, node.size))
            if size < node.size { try splice(&node, size..<max(node.size, size), []) }
            node.size = size
            stagingLog.resize(number)
            try saveContentChange(&node, now: now)
        }
    }

    /// Makes a range a hole; the size stays.
    package func punchHole(_ number: InodeNumber, _ range: Range<Int64>, now: Timestamp) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            try splice(&node, range.clamped(to: 0..<max(node.size, range.lowerBound)), [])
            try saveContentChange(&node, now: now)
        }
    }

    /// Gives `target` the same bytes as `range` of `source`, without copying any; both may be one file.
    package func clone(
        from source: InodeNumber, _ range: Range<Int64>, to target: InodeNumber, at offset: Int64, now: Timestamp
    ) throws(StoreError) {
        try transaction {
            let shift = offset - range.lowerBound
            let extents = try content(source, range).flatMap { extent -> [LocalExtent] in
                var moved = sealed(extent)
                moved.offset += shift
                return StretchKey.covering(target, moved.range).map { moved.clipped(to: $0.range) }
            }
            var node = try existing(target)
            try splice(&node, offset..<offset + Int64(range.count), extents)
            node.size = max(node.size, offset + Int64(range.count))
            try saveContentChange(&node, now: now)
        }
        sealEpoch()
    }

    /// Gives a file the content of one that has no name, which is gone then; times and size follow.
    package func replaceContent(
        of number: InodeNumber, with other: InodeNumber, now: Timestamp
    ) throws(StoreError) {
        try transaction {
            let new = try existing(other)
            try truncate(number, to: 0, now: now)
            if new.size > 0 { try clone(from: other, 0..<new.size, to: number, at: 0, now: now) }
            try truncate(number, to: new.size, now: now)
            _ = try setAttributes(number, AttributeUpdate(mtime: new.attributes.mtime), now: now)
            try removeOrphan(other)
        }
    }

    /// Two files share the bytes from now on, so neither may be written in place.
    private func sealed(_ extent: LocalExtent) -> LocalExtent {
        guard case .staging(let location, _) = extent.source else { return extent }
        return LocalExtent(offset: extent.offset, length: extent.length, source: .staging(location, epoch: epoch))
    }

    /// Marks the content as covered by an fsync: it may go up although the file is still open.
    package func markSynced(_ number: InodeNumber) throws(StoreError) {
        try transaction {
            guard var node = try node(number), node.contentDirty, !node.syncedSinceChange else { return }
            node.syncedSinceChange = true
            try save(node)
        }
    }

    private func saveContentChange(_ node: inout LocalNode, now: Timestamp) throws {
        markDirty(&node, content: true, now: now)
        node.attributes.mtime = now
        node.attributes.ctime = now
        try saveContent(node)
    }

    // MARK: Splicing

    /// Replaces what `range` of the file says and marks the stretches for the next upload.
    private func splice(_ node: inout LocalNode, _ range: Range<Int64>, _ new: [LocalExtent]) throws {
        let only = StretchKey(node: node.number, index: ContentLimits.segmentIndex(of: range.lowerBound))
        if !range.isEmpty, range.upperBound <= only.range.upperBound {
            try mark(only)
            return try replace(&node, only, range, new)
        }
        let pieces = Dictionary(grouping: new) { ContentLimits.segmentIndex(of: $0.offset) }
        let filled = pieces.keys.map { StretchKey(node: node.number, index: $0) }
        for key in Set(try affected(node.number, range) + filled).sorted(by: { $0.index < $1.index }) {
            try mark(key)
            try replace(&node, key, range.clamped(to: key.range), pieces[key.index] ?? [])
        }
    }

    /// The stretches of `range`; of a range past many of them (a huge sparse file) only those that hold something.
    private func affected(_ number: InodeNumber, _ range: Range<Int64>) throws -> [StretchKey] {
        guard range.count > 16 * Int(ContentLimits.segmentBytes) else { return StretchKey.covering(number, range) }
        let used = try query(
            "SELECT DISTINCT start / ? FROM content WHERE node = ? AND start >= ? AND start < ?",
            [
                ContentLimits.segmentBytes.sqlValue, number.sqlValue,
                (range.lowerBound - ContentLimits.segmentBytes).sqlValue, range.upperBound.sqlValue,
            ]
        ) { StretchKey(node: number, index: $0[0]) }
        return used.filter { $0.range.overlaps(range) }
    }

    func replace(
        _ node: inout LocalNode, _ key: StretchKey, _ part: Range<Int64>, _ new: [LocalExtent]
    ) throws {
        var extents = try stretch(key)
        // Nobody else holds the list: it is changed in its place, however long it is.
        stretches[key] = nil
        let (removed, added) = extents.splice(part, new)
        stretches[key] = extents
        let removesStaging = removed.contains(where: \.isStaging)
        if node.contentDirty || removesStaging || added.contains(where: \.isStaging) {
            stagingLog.splice(key.node, part, new, removesStaging: removesStaging)
        }
        exchange(removed, for: added)
        undo.append { [unowned self] in exchange(added, for: removed) }
        let kept = Set(added.map(\.offset))
        for extent in removed where !kept.contains(extent.offset) {
            try execute(
                "DELETE FROM content WHERE node = ? AND start = ?",
                [key.node.sqlValue, extent.offset.sqlValue])
        }
        for extent in added { try write(extent, of: key.node) }
        node.allocatedBytes += added.reduce(0) { $0 + $1.length } - removed.reduce(0) { $0 + $1.length }
        // What is in memory is believed where it says that there is nothing.
        nodes[key.node]?.allocatedBytes = node.allocatedBytes
    }

    private func write(_ extent: LocalExtent, of number: InodeNumber) throws {
        let source: [SQLValue] =
            switch extent.source {
            case .staging(let location, let epoch):
                [.null, Int64(location.segment).sqlValue, location.position.sqlValue, epoch.sqlValue]
            case .block(let block, let offset):
                [block.rawValue.sqlValue, .null, offset.sqlValue, 0.sqlValue]
            }
        try execute(
            """
            INSERT INTO content (node, start, length, block, segment, place, epoch) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (node, start) DO UPDATE SET length = excluded.length, block = excluded.block,
                segment = excluded.segment, place = excluded.place, epoch = excluded.epoch
            """, [number.sqlValue, extent.offset.sqlValue, extent.length.sqlValue] + source)
    }

    private func mark(_ key: StretchKey) throws {
        let row = [key.node.sqlValue, key.index.sqlValue]
        if try stretch(key).isEmpty {
            return try execute(
                "INSERT INTO dirty_stretches (node, stretch, base) VALUES (?, ?, NULL) ON CONFLICT DO NOTHING", row)
        }
        let isMarked = try queryOne("SELECT 1 FROM dirty_stretches WHERE node = ? AND stretch = ?", row) { _ in true }
        if isMarked != nil { return }
        let base = try stretch(key).filter { !$0.isStaging }
        try execute(
            "INSERT INTO dirty_stretches (node, stretch, base) VALUES (?, ?, ?)",
            row + [base.isEmpty ? .null : ExtentsCodec.encode(base).sqlValue])
    }

    private func markStretch(_ number: InodeNumber, at offset: Int64) throws {
        try mark(StretchKey(node: number, index: ContentLimits.segmentIndex(of: max(0, offset - 1))))
    }

    /// Frees everything that the node's content takes up.
    func dropContent(of node: LocalNode) throws {
        let number = node.number
        guard node.kind == .file else { return }
        try execute("DELETE FROM dirty_stretches WHERE node = ?", [number.sqlValue])
        forgetStretches(of: node)
        stagingLog.drop(number)
        guard node.allocatedBytes > 0 else { return }
        let extents = try query(
            "SELECT start, length, block, segment, place, epoch FROM content WHERE node = ? AND block IS NULL",
            [number.sqlValue], Self.extent)
        for extent in extents { release(extent) }
        undo.append { [unowned self] in for extent in extents { retain(extent) } }
        try execute("DELETE FROM content WHERE node = ?", [number.sqlValue])
    }

    private func forgetStretches(of node: LocalNode) {
        let last = ContentLimits.segmentIndex(of: max(0, node.size - 1))
        if last < stretches.count {
            for index in 0...last { stretches[StretchKey(node: node.number, index: index)] = nil }
        } else {
            stretches.removeAll(keepingCapacity: true)
        }
    }
}
