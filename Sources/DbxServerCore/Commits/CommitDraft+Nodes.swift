import DbxContent
import DbxModel
import DbxServerStores
import DbxWire

/// New states of nodes and of their content.
extension CommitDraft {
    func applyNodes() throws {
        for change in request.nodes {
            if try node(change.id) == nil { try create(change) } else { try update(change) }
            if let content = change.content { try apply(content, to: change.id) }
        }
    }

    private func create(_ change: NodeChange) throws {
        guard let attributes = change.attributes, (change.kind == .file) == (change.content != nil) else {
            throw Problem.badRequest("The new node \(change.id) lacks its attributes or its content.")
        }
        create(
            NodeRecord(
                id: change.id, seq: seq, commit: request.id, kind: change.kind, attributes: attributes.state,
                attributesSeq: seq, contentSeq: change.kind == .directory ? seq : .zero,
                target: change.kind == .symlink ? attributes.target?.bytes : nil))
    }

    private func update(_ change: NodeChange) throws {
        try touch(change.id) { node in
            guard let attributes = change.attributes else { return }
            node.attributes = attributes.state
            node.attributesSeq = seq
        }
    }

    private func apply(_ content: ContentChange, to id: NodeID) throws {
        guard let node = try node(id) else { return }
        var allocated: Int64 = 0
        for segment in content.segments {
            try checkBlockRanges(segment, of: id)
            allocated += try replace(segment, of: id, isNew: node.isNew, size: content.size)
        }
        if content.size < node.after.size { allocated += try cut(id, content) }
        try touch(id) { node in
            node.size = content.size
            node.contentSeq = seq
            node.contentHash = content.contentHash?.bytes
            node.attributes.mtime = content.mtime
            node.attributes.ctime = content.ctime
            node.allocatedBytes += allocated
        }
        allocatedDelta += allocated
        revisions.append(
            RevisionRecord(
                node: id, seq: seq, size: content.size, mtime: content.mtime,
                contentHash: content.contentHash?.bytes, device: device, committedAt: now))
    }

    private func checkBlockRanges(_ segment: SegmentChange, of node: NodeID) throws {
        for extent in segment.extents {
            guard let length = plainBytes[extent.block], extent.blockOffset + extent.length <= length else {
                throw Problem.badRequest("An extent of node \(node) reaches past the end of its block.")
            }
        }
    }

    /// Returns by how much the allocated bytes grow. An equal row stays as it is.
    private func replace(_ segment: SegmentChange, of id: NodeID, isNew: Bool, size: Int64) throws -> Int64 {
        let current = isNew ? nil : try rows.currentSegment(segment.index, of: id, in: namespace.id)
        let old = current?.extents ?? []
        let extents = try row(of: segment, over: old, of: id, size: size)
        guard old != extents else { return 0 }
        if current != nil { segmentEdits.append(.end(node: id, index: segment.index)) }
        segmentEdits.append(.insert(SegmentRecord(node: id, index: segment.index, from: seq, extents: extents)))
        return extents.totalLength - old.totalLength
    }

    private func row(of segment: SegmentChange, over old: [Extent], of id: NodeID, size: Int64) throws -> [Extent] {
        let extents: [Extent]
        let source = try segment.base?.moves.map { try content(of: $0.node ?? id, in: $0.segments) } ?? ExtentList()
        do throws(ExtentError) {
            extents = try segment.row(from: old, source: source)
        } catch {
            throw Problem.badRequest("The edit of segment \(segment.index) of node \(id) was made for another row.")
        }
        guard extents.count <= ContentLimits.maximumSegmentExtents, extents.last.map({ $0.end <= size }) ?? true else {
            throw Problem.badRequest(
                "Segment \(segment.index) of node \(id) has too many extents or passes the file's end.")
        }
        return extents
    }

    /// As it stood before this commit; nothing of a file that is not there.
    private func content(of node: NodeID, in segments: [Int64]) throws -> ExtentList {
        try ExtentList(
            validating: segments.flatMap { try rows.currentSegment($0, of: node, in: namespace.id)?.extents ?? [] })
    }

    /// The file became shorter: rows wholly past the end become tombstones; the row that the end lies in must have been
    /// sent if it reaches past it.
    private func cut(_ id: NodeID, _ content: ContentChange) throws -> Int64 {
        let sent = Set(content.segments.map(\.index))
        let first = content.size / ContentLimits.segmentBytes
        var freed: Int64 = 0
        for row in try rows.currentSegments(of: id, from: first, in: namespace.id) where !sent.contains(row.index) {
            guard let end = row.extents.last?.end, end > content.size else { continue }
            guard row.index * ContentLimits.segmentBytes >= content.size else {
                throw Problem.badRequest("Segment \(row.index) of node \(id) reaches past the new size: send it too.")
            }
            segmentEdits.append(.end(node: id, index: row.index))
            segmentEdits.append(.insert(SegmentRecord(node: id, index: row.index, from: seq, extents: [])))
            freed += row.extents.totalLength
        }
        return -freed
    }
}

extension [Extent] {
    fileprivate var totalLength: Int64 { reduce(0) { $0 + $1.length } }
}
