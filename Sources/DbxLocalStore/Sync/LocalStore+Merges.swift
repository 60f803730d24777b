package import DbxModel

/// Why two versions of a file were not merged: a person has to choose.
package enum MergeObstacle: String, Hashable, Sendable, Codable {
    /// Both changed the same lines, or lines next to each other.
    case overlap
    /// One of the versions, or what both come from, is no UTF-8 text.
    case noText = "no-text"
    /// One of them is larger than what is merged.
    case large
    /// There is no version that both come from, or it cannot be had any more.
    case noBase = "no-base"
    /// What got the name, or what was merged, is gone.
    case gone
    /// An ignore rule keeps our version here: the server would not have it.
    case ignored
    /// Our version was changed after the merge: what was changed is only in it.
    case changed
}

/// What two versions of a file both come from: the content that was agreed with the server when ours was changed.
package struct MergeBase: Hashable, Sendable {
    /// All of them of blocks. A text has no holes, so its size is where the last one ends.
    package var extents: [LocalExtent]
    package var attributes: NodeAttributes

    package init(extents: [LocalExtent], attributes: NodeAttributes) {
        self.extents = extents
        self.attributes = attributes
    }

    package var bytes: Int64 { extents.last?.end ?? 0 }
}

/// A conflict of two files that may be merged, by the name of its copy. What became of it is told until the conflict is
/// settled.
package struct KeptMerge: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        case waiting
        /// The text is in the file `into`. The copy is removed when the server has that, if it still holds the version
        /// that was merged.
        case merged(into: InodeNumber, oursVersion: Int64)
        case failed(MergeObstacle)
    }

    package var parent: InodeNumber
    package var keptAs: Name
    /// What got the name, on the server.
    package var theirs: NodeID
    package var base: MergeBase?
    package var state: State

    package init(parent: InodeNumber, keptAs: Name, theirs: NodeID, base: MergeBase?) {
        self.parent = parent
        self.keptAs = keptAs
        self.theirs = theirs
        self.base = base
        state = base == nil ? .failed(.noBase) : .waiting
    }
}

/// Merges that wait, or have come to their end, beside the conflicts that they belong to.
extension LocalStore {
    package func recordMerge(_ merge: KeptMerge) throws(StoreError) {
        try transaction {
            try execute(
                """
                INSERT OR REPLACE INTO merges (parent, kept_as, theirs, base, base_attributes, state, merged, ours)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    merge.parent.sqlValue, merge.keptAs.bytes.sqlValue, merge.theirs.bytes.sqlValue,
                    merge.base.map { ExtentsCodec.encode($0.extents).sqlValue } ?? .null,
                    merge.base.map { AttributesCodec.encode($0.attributes).sqlValue } ?? .null,
                ] + Self.values(of: merge.state))
        }
    }

    private static func values(of state: KeptMerge.State) -> [SQLValue] {
        switch state {
        case .waiting: ["waiting".sqlValue, .null, .null]
        case .merged(let number, let change): ["merged".sqlValue, number.sqlValue, change.sqlValue]
        case .failed(let obstacle): [obstacle.rawValue.sqlValue, .null, .null]
        }
    }

    /// By the names of their copies.
    package func merges() throws(StoreError) -> [KeptMerge] {
        do {
            return try query(
                "SELECT parent, kept_as, theirs, base, base_attributes, state, merged, ours FROM merges",
                [], Self.merge)
        } catch {
            throw Self.storeError(error)
        }
    }

    package func merge(in parent: InodeNumber, keptAs: Name) throws(StoreError) -> KeptMerge? {
        do {
            return try queryOne(
                """
                SELECT parent, kept_as, theirs, base, base_attributes, state, merged, ours FROM merges
                WHERE parent = ? AND kept_as = ?
                """, [parent.sqlValue, keptAs.bytes.sqlValue], Self.merge)
        } catch {
            throw Self.storeError(error)
        }
    }

    private static func merge(_ row: SQLRow) throws -> KeptMerge {
        guard let keptAs = Name(row.bytes(1)), let theirs = NodeID(bytes: row.bytes(2)) else {
            throw StoreError.corrupt("a merge's row")
        }
        let base = try row.bytesIfPresent(3).map { extents in
            MergeBase(
                extents: try ExtentsCodec.decode(extents),
                attributes: try AttributesCodec.decode(row.bytesIfPresent(4) ?? []))
        }
        var merge = KeptMerge(parent: InodeNumber(row[0]), keptAs: keptAs, theirs: theirs, base: base)
        let state = String(decoding: row.bytes(5), as: UTF8.self)
        if state == "merged" {
            merge.state = .merged(into: InodeNumber(row[6]), oursVersion: row[7])
        } else if state != "waiting" {
            guard let obstacle = MergeObstacle(rawValue: state) else { throw StoreError.corrupt("a merge's row") }
            merge.state = .failed(obstacle)
        }
        return merge
    }

    package func forgetMerge(in parent: InodeNumber, keptAs: Name) throws(StoreError) {
        try transaction {
            try execute(
                "DELETE FROM merges WHERE parent = ? AND kept_as = ?", [parent.sqlValue, keptAs.bytes.sqlValue])
        }
    }

    /// A file without a name that holds what both versions come from, for reading it.
    package func createOrphan(holding base: MergeBase, now: Timestamp) throws(StoreError) -> InodeNumber {
        try transaction {
            var node = try createOrphan(NewNode(kind: .file, mode: 0o600), now: now)
            node.size = base.bytes
            for extent in base.extents {
                let key = StretchKey(node: node.number, index: ContentLimits.segmentIndex(of: extent.offset))
                try replace(&node, key, extent.range, [extent])
            }
            try save(node)
            return node.number
        }
    }

    /// Directories that say whether texts below them are merged, or anything else in an extended attribute.
    package func directoriesWithAttributes() throws(StoreError) -> [LocalNode] {
        do {
            return try nodes(where: "kind = 1 AND xattrs IS NOT NULL AND flags & 16 = 0 ORDER BY number", [])
        } catch {
            throw Self.storeError(error)
        }
    }
}
