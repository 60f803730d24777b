package import DbxModel

/// Contents that were agreed and that the server has lost, for its data were put back to an older state. What of them is
/// in the cache is not evicted before it has become unsent work.
extension LocalStore {
    /// Blocks of contents that were agreed up to `seq`: the server has them still, or has let them go knowingly.
    package func blocksAgreed(through seq: Seq) throws(StoreError) -> Set<BlockNumber> {
        do {
            return Set(
                try query(
                    """
                    SELECT DISTINCT block FROM content JOIN nodes ON nodes.number = content.node
                    WHERE block IS NOT NULL AND content_seq > 0 AND content_seq <= ?
                    """, [seq.value.sqlValue]
                ) { BlockNumber(rawValue: $0[0]) })
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The server may not have them: they are to be sent again.
    package func loseBlocks(_ blocks: Set<BlockNumber>) throws(StoreError) {
        try transaction {
            for block in blocks.sorted(by: { $0.rawValue < $1.rawValue }) {
                try execute("UPDATE blocks SET agreed = 0 WHERE number = ?", [block.rawValue.sqlValue])
            }
        }
        keptBlocks.formUnion(blocks)
    }

    /// What of the file is neither here nor, perhaps, on the server.
    package func missingExtents(of number: InodeNumber) throws(StoreError) -> [LocalExtent] {
        var missing: [LocalExtent] = []
        for extent in try content(number, 0..<(node(number)?.size ?? 0)) {
            guard case .block(let block, _) = extent.source, !isCached(block), try !isAgreed(block) else { continue }
            missing.append(extent)
        }
        return missing
    }

    /// They become holes: there are no such bytes any more.
    package func forget(_ extents: [LocalExtent], of number: InodeNumber) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            for extent in extents {
                let key = StretchKey(node: number, index: ContentLimits.segmentIndex(of: extent.offset))
                try replace(&node, key, extent.range, [])
            }
            try save(node)
        }
    }

    /// The content, which is no more agreed, is to go up again.
    package func noteLostContent(_ number: InodeNumber) throws(StoreError) {
        try transaction {
            let node = try existing(number)
            let extents = try content(number, 0..<node.size)
            let isWhole = !extents.contains(where: \.isStaging)
            try execute(
                "INSERT OR REPLACE INTO lost_contents (node, change, extents) VALUES (?, ?, ?)",
                [
                    number.sqlValue, (isWhole ? node.contentChange : -1).sqlValue,
                    ExtentsCodec.encode(extents).sqlValue,
                ])
        }
    }

    /// Whether what the server has now, `stretches` laid over what was agreed, is what it had lost of this file.
    package func isLostContent(
        of node: LocalNode, size: Int64, stretches: [Int64: [Extent]]
    ) throws(StoreError) -> Bool {
        do {
            let lost = try queryOne(
                "SELECT extents FROM lost_contents WHERE node = ? AND change = ?",
                [node.number.sqlValue, node.contentChange.sqlValue]
            ) { $0.bytes(0) }
            guard let lost, node.size == size else { return false }
            var theirs = try agreedContent(node.number).filter {
                stretches[ContentLimits.segmentIndex(of: $0.offset)] == nil
            }
            for extent in stretches.values.joined() {
                guard let block = try blockNumber(extent.block) else { return false }
                theirs.append(
                    LocalExtent(
                        offset: extent.offset, length: extent.length, source: .block(block, offset: extent.blockOffset))
                )
            }
            return try Self.joined(theirs) == Self.joined(ExtentsCodec.decode(lost))
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Whether the file holds just that.
    package func holds(_ stretches: [Int64: [LocalExtent]], in node: LocalNode) throws(StoreError) -> Bool {
        Self.joined(try content(node.number, 0..<node.size)) == Self.joined(Array(stretches.values.joined()))
    }

    private static func joined(_ extents: [LocalExtent]) -> [LocalExtent] {
        extents.sorted { $0.offset < $1.offset }.reduce(into: []) { result, extent in
            if let last = result.last, last.continues(into: extent) {
                result[result.count - 1].length += extent.length
            } else {
                result.append(extent)
            }
        }
    }

    // MARK: Becoming unsent work

    /// What of the file stands in blocks that the server may not have.
    package func lostExtents(of number: InodeNumber) throws(StoreError) -> [LocalExtent] {
        do {
            guard try queryOne("SELECT 1 FROM lost_contents WHERE node = ?", [number.sqlValue], { _ in true }) != nil,
                let node = try node(number), node.contentDirty
            else { return [] }
            let lost = Set(
                try query(
                    "SELECT DISTINCT block FROM content JOIN blocks ON blocks.number = block WHERE node = ? AND agreed = 0",
                    [number.sqlValue]
                ) { BlockNumber(rawValue: $0[0]) })
            return try content(number, 0..<node.size).filter { extent in
                guard case .block(let block, _) = extent.source else { return false }
                return lost.contains(block)
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The bytes have been copied to staging. False where the file is another one by now: then nothing has happened.
    package func restage(
        _ number: InodeNumber, from before: [LocalExtent], copies: [DetachedCopy]
    ) throws(StoreError) -> Bool {
        let isDone = try transaction { () throws -> Bool in
            guard try lostExtents(of: number) == before else { return false }
            try adopt(copies, in: number)
            return true
        }
        if isDone { try loadLostContents() }
        return isDone
    }

    /// Which blocks are kept; those that need not be any more may be evicted again.
    func loadLostContents() throws(StoreError) {
        do {
            try transaction {
                try execute(
                    "DELETE FROM lost_contents WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE number = node AND flags & 2 != 0)"
                )
            }
            let kept = Set(
                try query(
                    """
                    SELECT DISTINCT block FROM lost_contents JOIN content ON content.node = lost_contents.node
                    JOIN blocks ON blocks.number = block WHERE agreed = 0
                    """
                ) { BlockNumber(rawValue: $0[0]) })
            for block in keptBlocks.subtracting(kept) where isCached(block) { evictionClock.add(.whole(block)) }
            keptBlocks = kept
        } catch {
            throw Self.storeError(error)
        }
    }
}
