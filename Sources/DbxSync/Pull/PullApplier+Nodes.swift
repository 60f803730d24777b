import DbxLocalStore
import DbxModel
import DbxWire

extension PullApplier {
    /// Blocks come first: a node's row may stand in an earlier page than the blocks and segments of its state.
    mutating func gatherBlocksAndSegments(of page: ChangesPage) throws {
        var wanted: Set<BlockID> = []
        for row in page.segments where try scope.wants(row.node) { wanted.formUnion(row.extents.map(\.block)) }
        wantedBlocks.formUnion(wanted)
        for row in page.segments where try store.node(row.node) != nil { gathered[row.node, default: []].append(row) }
    }

    /// Contents that were asked for because they are old here come as a whole.
    mutating func gatherOutdated() throws {
        for id in scope.outdated {
            guard let local = try store.node(id), let row = scope.supplement?.row(of: id) else { continue }
            gathered[id] = Self.allStretches(of: row, beside: local, scope.supplement?.segments(of: id) ?? [])
        }
    }

    /// What wanted blocks are encoded against.
    mutating func wantBases(of page: ChangesPage) {
        for row in page.blocks where wantedBlocks.contains(row.id) {
            if let base = row.wrap.base { wantedBlocks.insert(base) }
        }
    }

    /// A block's row may stand in an earlier page than the segments that name it.
    func putWantedBlocks(of page: ChangesPage) throws {
        try store.putBlocks(page.blocks.filter { wantedBlocks.contains($0.id) }.map(AgreedBlock.init))
    }

    mutating func applyNodes(of page: ChangesPage) throws {
        for row in page.nodes { try applyNode(row, segments: gathered[row.id] ?? []) }
    }

    mutating func applyEntriesAndFreshSegments(of page: ChangesPage) throws {
        for row in page.segments where gathered[row.node] == nil { try applySegments([row], of: row.node) }
        for row in page.entries { try apply(row) }
    }

    mutating func applyNode(_ row: NodeRow, segments: [SegmentRow]) throws {
        note(hashOf: row)
        guard let local = try store.node(row.id) else {
            guard !row.deleted, scope.admitted.contains(row.id) else {
                return store.noteChanged(unknown: row.id, seq: row.seq)
            }
            return try store.putAgreedNode(AgreedNode(row), knowledge: scope.knowledge(of: row))
        }
        if row.deleted { return postpone(row) }
        if restoring.contains(row.id) { return try restore(local, to: row, segments: segments) }
        // Of a root that nobody has changed, the first row tells what it is; its seq is known before.
        guard row.seq > local.seq || row.attributesSeq > local.attributesSeq || !segments.isEmpty else { return }
        // Offered anew here, after the server had lost it, and it has it: with what in it, these rows do not tell.
        if local.isNew, row.kind == .directory, scope.knowledge(of: row) == .partial {
            try store.setKnowledge(of: local.number, .stale)
        }
        let contentMoved = row.kind == .file && row.contentSeq > local.contentSeq
        if contentMoved, isBusy(local.number) {
            return try postponeContent(row, segments: segments)
        }
        let segments = contentMoved ? try segments + takeDeferredSegments(besides: segments, upTo: row) : segments
        if contentMoved, local.contentDirty {
            if try agreeAgain(local, row, segments) { return }
            return try settleContents(local, remote: row, segments: segments)
        }
        if contentMoved {
            if local.isOrphan, local.size <= TextMerge.largestBytes {
                replacedContents[local.id] = try MergeBase(of: local, in: store)
            }
            try received.changedContent(of: local, size: row.size, store: store)
        } else {
            try received.changedAttributes(of: local, to: row.attributes, store: store)
        }
        try mergeAttributes(row, into: local)
        try applySegments(segments, of: row.id)
        if contentMoved { note(.content(local.number)) }
        if row.attributes != local.attributes || contentMoved { note(.attributes(local.number)) }
        // What we said ourselves was known when its names were taken here.
        if contentMoved, !isOurOwnContent(row) { renewed.append(row.id) }
    }

    /// Ours is given up, and was meant to be: but not what was written after that.
    private mutating func restore(_ local: LocalNode, to row: NodeRow, segments: [SegmentRow]) throws {
        if local.kind == .file, local.contentDirty, !local.isOrphan {
            let isNewer = local.contentChange > restoredAt
            return try settleContents(local, remote: row, segments: segments, as: isNewer ? nil : .theirs)
        }
        try store.putAgreedNode(AgreedNode(row))
        try applySegments(segments, of: row.id)
        note(.attributes(local.number))
        // Removed here since, but not what others have made of it.
        if row.contentSeq > local.contentSeq { renewed.append(row.id) }
    }

    func applySegments(_ rows: [SegmentRow], of id: NodeID) throws {
        guard let local = try store.node(id), !local.contentDirty else { return }
        for row in rows { try store.putAgreedSegment(node: id, index: row.index, extents: row.extents) }
    }

    private func mergeAttributes(_ row: NodeRow, into local: LocalNode) throws {
        guard local.attributesDirty, let base = local.baseAttributes else {
            return try takeAttributes(row, over: local)
        }
        let merged = AttributesMerge.merge(base: base, local: local.attributes, remote: row.attributes)
        try store.rebaseNode(
            row.id, seq: row.seq, attributesSeq: row.attributesSeq,
            contentSeq: local.contentDirty ? nil : row.contentSeq, baseAttributes: row.attributes)
        try store.putMergedAttributes(
            row.id, merged, size: local.contentDirty ? nil : row.size)
    }

    private func takeAttributes(_ row: NodeRow, over local: LocalNode) throws {
        guard local.contentDirty else { return try store.putAgreedNode(AgreedNode(row)) }
        // Written here since: the times are ours, everything else the server's.
        var attributes = row.attributes
        attributes.mtime = local.attributes.mtime
        attributes.ctime = max(attributes.ctime, local.attributes.ctime)
        try store.rebaseNode(
            row.id, seq: row.seq, attributesSeq: row.attributesSeq, contentSeq: nil, baseAttributes: nil)
        try store.putMergedAttributes(row.id, attributes, size: nil)
    }

    /// Somebody has the file open for writing: its content waits for the last close.
    private func postponeContent(_ row: NodeRow, segments: [SegmentRow]) throws {
        var rows = DeferredRows(node: row, segments: segments)
        if let bytes = try store.deferred(row.id) {
            let earlier = try WireJSON.decode(DeferredRows.self, from: bytes)
            let replaced = Set(segments.map(\.index))
            rows.segments += earlier.segments.filter { !replaced.contains($0.index) }
        }
        try store.deferRemote(row.id, WireJSON.encode(rows))
    }

    /// Stretches that have waited for a close and that the newer row's pull does not bring: they count with it.
    private func takeDeferredSegments(besides segments: [SegmentRow], upTo row: NodeRow) throws -> [SegmentRow] {
        guard let bytes = try store.deferred(row.id) else { return [] }
        let waiting = try WireJSON.decode(DeferredRows.self, from: bytes)
        guard waiting.node.contentSeq <= row.contentSeq else { return [] }
        try store.removeDeferred(row.id)
        let brought = Set(segments.map(\.index))
        return waiting.segments.filter { !brought.contains($0.index) }
    }

    /// The server had lost what is here, and somebody has sent it again: it is agreed as it was.
    private mutating func agreeAgain(_ local: LocalNode, _ row: NodeRow, _ segments: [SegmentRow]) throws -> Bool {
        let stretches = Dictionary(segments.map { ($0.index, $0.extents) }) { _, last in last }
        guard try store.isLostContent(of: local, size: row.size, stretches: stretches) else { return false }
        try store.putAgreedNode(AgreedNode(row))
        try applySegments(segments, of: row.id)
        note(.attributes(local.number))
        return true
    }

    /// Content against content: ours goes on as a new file, the node takes the server's state. Who has the name is the
    /// policy's affair; by default the server's, and ours gets a conflict name.
    mutating func settleContents(
        _ local: LocalNode, remote row: NodeRow, segments: [SegmentRow], as decided: ConflictPolicy.Outcome? = nil
    ) throws {
        var outcome =
            decided ?? outcome(ours: local, theirs: row.id, size: row.size, changedAt: row.attributes.mtime)
        if outcome == .both, isOurOwnContent(row) { outcome = .ours }
        let names = try store.entries(of: local.number)
        let agreed = try store.agreedContent(local.number)
        let rival = Rival(node: row.id, base: MergeBase(extents: agreed, attributes: local.agreedAttributes))
        try store.changeIdentity(of: local.number, to: freshIdentity())
        try keepHash(of: local)
        try store.putAgreedNode(AgreedNode(row))
        try store.putAgreedContent(agreed, of: row.id)
        try store.noteNewContent(of: row.id)
        try applySegments(segments, of: row.id)
        // Names that lead to ours are changes of the server's now, for it is a new node.
        if outcome == .ours { return }
        try received.changedContent(of: local, size: row.size, store: store)
        // Names that only exist here go on leading to our version; without one that others will see it needs a name of its
        // own.
        var needsName = outcome == .both && !names.contains { $0.dirty && !$0.isLocalOnly }
        for entry in names where !entry.dirty {
            if needsName { try moveAside(entry, wanted: entry.name, against: rival) }
            needsName = false
            if let parent = try store.node(entry.parent) { try willTakeAway(entry.name, in: parent) }
            try store.putAgreedEntry(parent: entry.parentID, name: entry.name, node: row.id, seq: entry.base)
            note(.entry(parent: entry.parent, name: entry.name))
        }
        if !isOurOwnContent(row) { renewed.append(row.id) }
    }

    /// New contents whose last names were moved or removed here need one, or our removals would end them. After the
    /// server's removals, which may have taken the names that were left.
    mutating func reviveNameless() throws {
        for id in renewed {
            if let node = try store.node(id), try store.entries(of: node.number).isEmpty { try revive(id) }
        }
        renewed = []
        for id in leftBehind.sorted() where !hasEnded(id) {
            guard let node = try store.node(id), try store.entries(of: node.number).isEmpty else { continue }
            // Their content may have come after our removals, and lived on under the names that go now.
            let ours = try store.dirtyEntries(baseNode: id)
            let cameLater = ours.contains { $0.parted ?? 0 < node.contentChange }
            if cameLater || leftUnseen.contains(id) { try revive(id) }
        }
        leftBehind = []
        leftUnseen = []
    }

    /// The server's node is newer than our removal of it: the names we removed come back, and those that we gave to
    /// something else have two versions.
    private mutating func revive(_ id: NodeID) throws {
        for entry in try store.dirtyEntries(baseNode: id) {
            guard let ours = try entry.node.flatMap({ try store.node($0) }), let theirs = try store.node(id),
                try !isKeptHere(entry)
            else {
                try giveBack(entry, to: id)
                continue
            }
            let rival = theirs.kind == .file ? Rival(node: id, base: replacedContents[id]) : nil
            switch outcome(ours: ours, theirs: theirs) {
            case .both: try giveBack(entry, to: id, against: rival)
            case .theirs: try giveBack(entry, to: id, overOurs: true)
            case .ours: continue
            }
        }
    }
}

extension AgreedNode {
    init(_ row: NodeRow) {
        self.init(
            id: row.id, kind: row.kind, attributes: row.attributes, seq: row.seq, attributesSeq: row.attributesSeq,
            contentSeq: row.contentSeq, size: row.size, target: row.target)
    }
}

extension AgreedBlock {
    init(_ row: BlockRow) { self.init(id: row.id, wrap: row.wrap) }

    init(id: BlockID, wrap: BlockWrap) {
        self.init(
            id: id, wrap: wrap.sealed.bytes, key: wrap.key, plainBytes: wrap.plainBytes, storedBytes: wrap.storedBytes,
            base: wrap.base)
    }
}
