import DbxModel

/// Bytes of a node that is to be here only, copied to staging.
package struct DetachedCopy: Sendable {
    package var offset: Int64
    package var range: StagingRange

    package init(offset: Int64, range: StagingRange) {
        self.offset = offset
        self.range = range
    }
}

/// Making a node of the server's one that is here only. What the server has goes with the next commit, by the rules of any
/// removal: a change that somebody made meanwhile comes back.
extension LocalStore {
    package func contentForDetaching(_ number: InodeNumber) throws(StoreError) -> [LocalExtent] {
        guard let node = try node(number), node.kind == .file else { return [] }
        return try content(number, 0..<node.size)
    }

    package enum DetachOutcome: Hashable, Sendable {
        case done
        /// The content is no longer the one that was copied.
        case changed
        /// It has left the server or this computer meanwhile.
        case obsolete
        /// Of a directory more has to be listed before.
        case unlisted
    }

    /// Unless the outcome is that it is done nothing has happened, and the copies are still the caller's.
    package func detach(
        _ number: InodeNumber, from before: [LocalExtent], copies: [DetachedCopy]
    ) throws(StoreError) -> DetachOutcome {
        try transaction {
            guard let node = try node(number), !node.isNew, !node.isOrphan else { return .obsolete }
            if node.kind == .directory, node.knowledge != .whole { return .unlisted }
            guard try contentForDetaching(number) == before else { return .changed }
            let agreed = node.kind == .file ? try agreedContent(number) : []
            let left = node.kind == .directory ? try agreedNames(in: number) : []
            try changeIdentity(of: number, to: NodeID(high: entropy.next(), low: entropy.next()))
            let old = try insertGone(node)
            try putAgreedContent(agreed, of: old.id)
            for name in left { try insertRemoved(name, from: old.number) }
            try adopt(copies, in: number)
            try setLocalOnly(number, true)
            try review(number)
            return .done
        }
    }

    /// The server's node, which has no name here any more.
    private func insertGone(_ node: LocalNode) throws -> LocalNode {
        var old = node
        old.number = InodeNumber(rawValue: 0)
        old.attributes = node.baseAttributes ?? node.attributes
        old.attributesDirty = false
        old.contentDirty = false
        old.baseAttributes = nil
        old.dirtySince = nil
        old.links = 0
        old.allocatedBytes = 0
        old.isOrphan = true
        old.mtimeIsExplicit = false
        return try insert(old)
    }

    private struct AgreedName {
        var name: [UInt8]
        var base: Int64
        var node: [UInt8]?
    }

    private func agreedNames(in directory: InodeNumber) throws -> [AgreedName] {
        try query(
            """
            SELECT name, base, CASE WHEN dirty = 0 THEN (SELECT id FROM nodes WHERE number = child) ELSE base_node END
            FROM entries WHERE parent = ? AND (dirty = 0 OR base_node IS NOT NULL)
            """, [directory.sqlValue]
        ) { AgreedName(name: $0.bytes(0), base: $0[1], node: $0.bytesIfPresent(2)) }
    }

    private func insertRemoved(_ name: AgreedName, from directory: InodeNumber) throws {
        try execute(
            """
            INSERT INTO entries (parent, name, child, cookie, base, base_node, dirty, change)
            VALUES (?, ?, NULL, ?, ?, ?, 1, ?)
            """,
            [
                directory.sqlValue, name.name.sqlValue, nextCookieValue().sqlValue, name.base.sqlValue,
                name.node?.sqlValue ?? .null, nextChange().sqlValue,
            ])
    }

    func adopt(_ copies: [DetachedCopy], in number: InodeNumber) throws {
        var node = try existing(number)
        for copy in copies {
            let extent = LocalExtent(
                offset: copy.offset, length: copy.range.length,
                source: .staging(copy.range.location, epoch: copy.range.epoch))
            for key in StretchKey.covering(number, extent.range) {
                try replace(&node, key, extent.range.clamped(to: key.range), [extent.clipped(to: key.range)])
            }
            settleReservation(copy.range)
            unsyncedSegments.insert(copy.range.location.segment)
        }
        try releaseReservation(number)
        try save(node)
    }
}
