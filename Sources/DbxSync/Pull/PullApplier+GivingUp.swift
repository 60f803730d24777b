package import DbxLocalStore
import DbxModel
import DbxWire

/// Contents that the server has lost and of which not all is here.
extension PullApplier {
    /// The file's content was to be sent again, and cannot be: what is in the cache turned out to be damaged. `supplement`
    /// is the server's answer about the file. With the store's lock held.
    package mutating func giveUp(_ number: InodeNumber, _ supplement: PullSupplement) throws {
        guard let node = try store.node(number), node.contentDirty, try !store.missingExtents(of: number).isEmpty else {
            return
        }
        try store.transaction {
            try store.putBlocks(supplement.page.blocks.map(AgreedBlock.init))
            let row = supplement.row(of: node.id)
            let whole = row.map { Self.allStretches(of: $0, beside: node, supplement.segments(of: $0.id)) }
            try giveUp(node, row, whole ?? [])
            try LostVersion.keep(losses, in: store)
            try reviveNameless()
            try finishTombstones()
        }
    }

    /// The server's version counts, if it has one. Unsent work in the file stays, with holes in place of what is lost, but
    /// it does not replace a version that is whole.
    mutating func giveUp(_ node: LocalNode, _ row: NodeRow? = nil, _ segments: [SegmentRow] = []) throws {
        try noteLoss(of: node, older: row?.contentSeq)
        if try store.content(of: node.number).stagingBytes > 0 { return try keepPart(of: node, row, segments) }
        guard let row else { return try drop(node) }
        try store.putAgreedNode(AgreedNode(row))
        try applySegments(segments, of: row.id)
        note(.content(node.number))
        note(.attributes(node.number))
    }

    private mutating func keepPart(of node: LocalNode, _ row: NodeRow?, _ segments: [SegmentRow]) throws {
        try store.forget(store.missingExtents(of: node.number), of: node.number)
        if !node.contentDirty || node.contentSeq != .zero { try store.becomeChange(node.number, over: [:]) }
        try store.noteLostContent(node.number)
        guard let row, let part = try store.node(node.number) else {
            return try store.changeIdentity(of: node.number, to: freshIdentity())
        }
        try settleContents(part, remote: row, segments: segments, as: .both)
    }

    /// Nothing is left of it, here or there.
    private mutating func drop(_ node: LocalNode) throws {
        for entry in try store.entries(of: node.number) {
            try store.putAgreedEntry(
                parent: entry.parentID, name: entry.name, node: entry.dirty ? entry.baseNode : nil,
                seq: max(entry.base, .zero))
            note(.entry(parent: entry.parent, name: entry.name))
        }
        try postpone(endOf: node.id)
    }

    private mutating func noteLoss(of node: LocalNode, older: Seq?) throws {
        guard let path = try TreePath.path(of: node.number, in: store) else { return }
        losses.append(LostVersion(path: String(decoding: path, as: UTF8.self), at: now, older: older))
    }
}
