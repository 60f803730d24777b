import DbxModel
import DbxServerStores
import DbxWire

/// Writing what the draft has become.
extension CommitDraft {
    /// Throws `quota-exceeded` where the commit takes more; what frees is never refused.
    func checkQuota() throws {
        guard let limit = namespace.limitBytes, allocatedDelta > 0, usedBytes > limit else { return }
        throw Problem(
            kind: .quotaExceeded,
            detail: "With this change \(usedBytes) bytes would be used of the \(limit) allowed: delete something, or "
                + "ask the server's administrator for more.")
    }

    /// Allocated bytes of current content after the commit.
    var usedBytes: Int64 { namespace.usedBytes + allocatedDelta }

    /// Writes all rows but the journal's; returns the stored bytes that are pinned no more.
    func write() throws -> Int64 {
        for node in changedNodes {
            if node.isNew, try !rows.claim(node.after.id, for: namespace.id) {
                throw Self.invalidTree("The id of the new node \(node.after.id) is in use.")
            }
            try rows.put(node.after, in: namespace.id)
        }
        for change in request.entries {
            try rows.put(
                EntryRecord(
                    parent: change.parent, name: change.name, node: change.node, seq: seq, commit: request.id,
                    leftUnseen: try leavesUnseenContent(change)),
                in: namespace.id)
        }
        var unpinned: Int64 = 0
        for block in newBlocks {
            try rows.insert(block, in: namespace.id)
            if let body = bodies[block.block] { try store(body, of: block) }
            try rows.setState(.live, of: block.block, storedBytes: block.storedBytes)
            unpinned += try rows.deleteUploads(of: block.block, in: namespace.id)
        }
        for edit in segmentEdits { try write(edit) }
        for revision in revisions { try rows.insert(revision, in: namespace.id) }
        for (block, body) in returned where try rows.block(block.block)?.state == .lost {
            try rows.insertBody(body, of: block.block)
            try rows.setState(.live, of: block.block, storedBytes: Int64(body.count))
        }
        return unpinned
    }

    /// Unless somebody has sent the block already: the answer is the same.
    private func store(_ body: [UInt8], of block: NamespaceBlockRecord) throws {
        let known = try rows.block(block.block)
        guard known == nil || known?.state == .granted || known?.state == .lost else { return }
        try rows.insertIfAbsent(
            BlockRecord(
                id: block.block, generation: 1, storedBytes: block.storedBytes, state: .live, createdAt: now))
        try rows.insertBody(body, of: block.block)
    }

    private func write(_ edit: SegmentEdit) throws {
        switch edit {
        case .end(let node, let index): try rows.endSegment(index, of: node, at: seq, in: namespace.id)
        case .endAll(let node): try rows.endSegments(of: node, at: seq, in: namespace.id)
        case .insert(let segment): try rows.insert(segment, in: namespace.id)
        }
    }
}
