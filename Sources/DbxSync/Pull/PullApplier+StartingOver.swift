import DbxLocalStore
package import DbxModel
package import DbxWire

extension PullApplier {
    /// The server does not know the cursor any more. What was agreed after the common history is work of ours again, to be
    /// sent anew where its bytes are here; all that is known is listed again, and until then counts. `page` is a listing's
    /// page that was asked for without a cursor: pulls go on from there. Returned are nodes that have to be asked for
    /// first. With the store's lock held.
    package mutating func startOver(
        at page: ListingPage, _ common: CommonHistory, supplement: PullSupplement? = nil
    ) throws -> Set<NodeID> {
        let ids = Set(try store.nodesAgreed(after: common.seq))
        guard ids.isSubset(of: supplement?.requested ?? []) else { return ids }
        try store.transaction {
            store.endListings()
            try dropDeferred(after: common.seq)
            if let supplement { try offerAgain(ids.sorted(), after: common.seq, supplement) }
            try LostVersion.keep(losses, in: store)
            try store.disagree(namesAfter: common.seq)
            try store.markDirectoriesStale()
            try store.forgetHistories(after: common.seq)
            try store.setMeta(SyncMeta.common, WireJSON.encode(common))
            try SyncMeta.setCursor(page.cursor, at: page.seq, in: store)
            try reviveNameless()
            try finishTombstones()
            try settleDirectoryCycles()
        }
        return []
    }

    private func dropDeferred(after seq: Seq) throws {
        for id in try store.deferredNodes() {
            guard let bytes = try store.deferred(id) else { continue }
            if try WireJSON.decode(DeferredRows.self, from: bytes).node.contentSeq > seq {
                try store.removeDeferred(id)
            }
        }
    }

    private mutating func offerAgain(_ ids: [NodeID], after seq: Seq, _ supplement: PullSupplement) throws {
        let nodes = try ids.compactMap { try store.node($0) }
        try loseBlocks(of: nodes, after: seq, supplement)
        for node in nodes where try store.wasNamed(node, after: seq) {
            try leaveOldNames(of: node, through: seq, supplement)
        }
        for node in nodes {
            if let row = supplement.row(of: node.id) {
                try settle(node, row, supplement.segments(of: node.id), after: seq)
            } else {
                try settleAbsent(node, after: seq, wasRemoved: supplement.hasEnded(node.id))
            }
        }
    }

    /// What only contents of the lost stretch are made of, the server may have no more.
    private func loseBlocks(of nodes: [LocalNode], after seq: Seq, _ supplement: PullSupplement) throws {
        var blocks: Set<BlockNumber> = []
        for node in nodes where node.kind == .file && node.contentSeq > seq {
            blocks.formUnion(try store.content(of: node.number).blocks.map(\.number))
        }
        if !blocks.isEmpty { try store.loseBlocks(blocks.subtracting(store.blocksAgreed(through: seq))) }
        try store.putBlocks(supplement.page.blocks.map(AgreedBlock.init))
    }

    /// A node that had moved, and that the server has in its old place again, is moved again.
    private func leaveOldNames(of node: LocalNode, through seq: Seq, _ supplement: PullSupplement) throws {
        for old in supplement.entries(of: node.id) where try old.seq <= seq && wasSeen(old.seq) {
            guard let parent = try store.node(old.parent) else { continue }
            let entry = try store.entry(parent: old.parent, name: old.name)
            let isGone = try entry == nil && store.knows(old.name, in: parent)
            guard isGone || (entry?.node != node.id && entry?.base ?? .zero > seq) else { continue }
            try store.rebaseEntry(parent: old.parent, name: old.name, base: old.seq, baseNode: node.id)
        }
    }

    /// Whether it came with a pull, or was ours: that a commit of ours knows of what was there before tells nothing.
    private func wasSeen(_ seq: Seq) throws -> Bool {
        if let position = try SyncMeta.seq(in: store), seq <= position { return true }
        return try store.histories().contains { $0.known == seq }
    }

    // MARK: Nodes that the server has

    private mutating func settle(_ node: LocalNode, _ row: NodeRow, _ segments: [SegmentRow], after seq: Seq) throws {
        let isLost = node.kind == .file && node.contentSeq > seq && !node.isOrphan
        var contentSeq: Seq? = node.contentSeq > seq ? nil : node.contentSeq
        if node.isOrphan, node.contentSeq > seq, row.contentSeq <= seq { contentSeq = row.contentSeq }
        let whole = node.kind == .file ? Self.allStretches(of: row, beside: node, segments) : []
        if isLost {
            let theirs = try localStretches(whole)
            if !node.contentDirty, node.size == row.size, try store.holds(theirs, in: node) {
                contentSeq = row.contentSeq
            } else if try store.missingExtents(of: node.number).isEmpty {
                try store.becomeChange(node.number, over: theirs)
                try store.noteLostContent(node.number)
                if row.contentSeq <= seq { contentSeq = row.contentSeq }
            } else {
                return try giveUp(node, row, whole)
            }
        }
        let isChanged = node.attributesSeq > seq && row.attributesSeq <= seq && node.attributes != row.attributes
        try store.becomeOlder(
            node.number, contentSeq: contentSeq, under: isChanged ? row.attributes : nil)
        let isWanted = node.isOrphan || row.contentSeq > contentSeq ?? .oldest
        try applyNode(row, segments: isWanted ? whole : [])
    }

    /// Of a row with all its segments: those without are holes.
    static func allStretches(
        of row: NodeRow, beside node: LocalNode, _ segments: [SegmentRow]
    ) -> [SegmentRow] {
        let known = Dictionary(segments.map { ($0.index, $0) }) { first, _ in first }
        let count = (max(row.size, node.size) + ContentLimits.segmentBytes - 1) / ContentLimits.segmentBytes
        return (0..<count).map { known[$0] ?? SegmentRow(node: row.id, index: $0, seq: row.seq, extents: []) }
    }

    private func localStretches(_ segments: [SegmentRow]) throws -> [Int64: [LocalExtent]] {
        var stretches: [Int64: [LocalExtent]] = [:]
        for segment in segments where !segment.extents.isEmpty {
            stretches[segment.index] = try segment.extents.map { extent in
                guard let block = try store.blockNumber(extent.block) else {
                    throw StoreError.corrupt("the server named block \(extent.block) without its key")
                }
                return LocalExtent(
                    offset: extent.offset, length: extent.length, source: .block(block, offset: extent.blockOffset))
            }
        }
        return stretches
    }

    // MARK: Nodes that it does not have

    private mutating func settleAbsent(_ node: LocalNode, after seq: Seq, wasRemoved: Bool) throws {
        let isLost = node.kind == .file && node.contentSeq > seq
        let names = try store.entries(of: node.number)
        if names.isEmpty { return try postpone(endOf: node.id) }
        if isLost, try !store.missingExtents(of: node.number).isEmpty {
            for entry in names where entry.base > seq {
                try store.rebaseOnNothing(entry)
            }
            return try giveUp(node)
        }
        if wasRemoved {
            // As others removed it, so do we, with its directory's listing; but not what they have not seen, and not what
            // has other names by now.
            guard isLost || names.allSatisfy({ $0.base == .zero }) else {
                return try store.becomeOlder(node.number, contentSeq: nil, under: nil)
            }
            try store.changeIdentity(of: node.number, to: freshIdentity())
        } else {
            try store.becomeNew(node.number)
        }
        if isLost { try store.noteLostContent(node.number) }
    }
}
