package import DbxModel

/// Cursors of the past: should the server's data be put back to an older state, they tell how far what is agreed here is
/// what the server has.
extension LocalStore {
    /// So many are kept: all of the last ones, of the older ones fewer the older they are.
    private static let mostHistories = 48
    private static let recentHistories = 16

    /// A server that knows the cursor has all commits up to `known`.
    package func noteHistory(_ cursor: [UInt8], known: Seq) throws(StoreError) {
        try transaction {
            try execute(
                "INSERT OR REPLACE INTO histories (known, cursor) VALUES (?, ?)",
                [known.value.sqlValue, cursor.sqlValue])
            let all = try query("SELECT known FROM histories ORDER BY known DESC") { $0[0] as Int64 }
            guard all.count > Self.mostHistories else { return }
            let (head, candidates) = (all[0], all.indices.dropFirst(Self.recentHistories).dropLast())
            // What is left out widens a gap: that matters less the longer ago it is.
            func width(_ index: Int) -> Double {
                Double(all[index - 1] - all[index + 1]) / Double(max(1, head - all[index]))
            }
            if let least = candidates.min(by: { width($0) < width($1) }) {
                try execute("DELETE FROM histories WHERE known = ?", [all[least].sqlValue])
            }
        }
    }

    /// The newest first.
    package func histories() throws(StoreError) -> [(known: Seq, cursor: [UInt8])] {
        do {
            return try query("SELECT known, cursor FROM histories ORDER BY known DESC") { row in
                (known: Seq(row[0]), cursor: row.bytes(1))
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Those that are no history of the server's any more.
    package func forgetHistories(after seq: Seq) throws(StoreError) {
        try transaction { try execute("DELETE FROM histories WHERE known > ?", [seq.value.sqlValue]) }
    }

    // MARK: What was agreed after a moment

    /// Nodes of which something was agreed behind `seq`, and those that came to a name there, or lost one since; and what was
    /// taken out of directories that are gone here, whose listings tell nothing any more.
    package func nodesAgreed(after seq: Seq) throws(StoreError) -> [NodeID] {
        do {
            return try query(
                """
                SELECT id FROM nodes WHERE seq > ?1 OR (seq > 0 AND (attributes_seq > ?1 OR content_seq > ?1))
                UNION SELECT nodes.id FROM entries JOIN nodes ON nodes.number = entries.child
                    WHERE base > ?1 AND nodes.seq > 0
                UNION SELECT base_node FROM entries WHERE base > ?1 AND dirty = 1 AND base_node IS NOT NULL
                UNION SELECT base_node FROM nodes JOIN entries ON entries.parent = nodes.number
                    WHERE flags & 16 != 0 AND kind = 1 AND dirty = 1 AND base_node IS NOT NULL
                ORDER BY 1
                """, [seq.value.sqlValue]
            ) { NodeID(bytes: $0.bytes(0)) }.compactMap(\.self)
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Whether the node came to one of its names behind `seq`, or to one that it has lost since.
    package func wasNamed(_ node: LocalNode, after seq: Seq) throws(StoreError) -> Bool {
        if try entries(of: node.number).contains(where: { $0.base > seq }) { return true }
        return try dirtyEntries(baseNode: node.id).contains { $0.base > seq }
    }

    /// Names that were agreed behind `seq` are changes of ours now, on top of something that only the listing of their
    /// directory tells.
    package func disagree(namesAfter seq: Seq) throws(StoreError) {
        try transaction {
            try execute("DELETE FROM entries WHERE base > ? AND child IS NULL", [seq.value.sqlValue])
            try execute(
                """
                UPDATE entries SET base = ?2, base_node = NULL, change = CASE WHEN dirty = 0 THEN ?3 ELSE change END,
                    dirty = max(dirty, 1)
                WHERE base > ?1
                """, [seq.value.sqlValue, Seq.unknown.value.sqlValue, nextChange().sqlValue])
        }
    }

    /// All names in a directory, or in a stretch of it, that the server has or may have, whatever became of them here.
    package func comparableEntries(
        in directory: InodeNumber, behind first: Name? = nil, through last: Name? = nil
    ) throws(StoreError) -> [LocalEntry] {
        var (condition, values) = ("entries.parent = ? AND entries.base != 0", [directory.sqlValue])
        for (border, name) in [(">", first), ("<=", last)] {
            guard let name else { continue }
            condition += " AND entries.name \(border) ?"
            values.append(name.bytes.sqlValue)
        }
        return try entries(condition + " ORDER BY entries.name", values)
    }

    /// The server has nothing under the name, so ours, if there is any, is new.
    package func rebaseOnNothing(_ entry: LocalEntry) throws(StoreError) {
        try transaction {
            let key = [entry.parent.sqlValue, entry.name.bytes.sqlValue]
            try execute("DELETE FROM entries WHERE parent = ? AND name = ? AND child IS NULL", key)
            try execute(
                """
                UPDATE entries SET base = 0, base_node = NULL, dirty = max(dirty, 1),
                    change = CASE WHEN dirty = 0 THEN ?3 ELSE change END WHERE parent = ?1 AND name = ?2
                """, key + [nextChange().sqlValue])
            try reviewFreed(entry.name, in: entry.parent)
        }
    }

    // MARK: Nodes

    /// The server does not have the node: it is new, and with it all that is in it.
    package func becomeNew(_ number: InodeNumber) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            (node.seq, node.attributesSeq, node.contentSeq) = (.zero, .zero, .zero)
            node.baseAttributes = nil
            markDirty(&node, attributes: true, content: node.kind == .file, now: time.now())
            node.baseAttributes = nil
            try save(node)
            if node.kind == .directory {
                try forgetBases(in: number)
                try setKnowledge(of: number, .whole)
            }
            if node.kind == .file {
                try execute("DELETE FROM dirty_stretches WHERE node = ?", [number.sqlValue])
                try markAllStretches(node)
            }
        }
    }

    /// Whatever the server says of the node is newer than what is known here. `contentSeq` where that of the content is
    /// known; `attributes` are what the server has where ours, which differ, go on top of them.
    package func becomeOlder(
        _ number: InodeNumber, contentSeq: Seq?, under attributes: NodeAttributes?
    ) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            (node.seq, node.attributesSeq) = (.oldest, .oldest)
            node.contentSeq = contentSeq ?? .oldest
            if let attributes {
                markDirty(&node, attributes: true, now: time.now())
                node.baseAttributes = attributes
            }
            try save(node)
        }
    }

    /// The content is a change of ours over what the server has, `agreed` for each stretch that holds something there.
    package func becomeChange(_ number: InodeNumber, over agreed: [Int64: [LocalExtent]]) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            let ours = Set(
                try query(
                    "SELECT DISTINCT start / ? FROM content WHERE node = ?",
                    [ContentLimits.segmentBytes.sqlValue, number.sqlValue]
                ) { $0[0] as Int64 })
            try execute("DELETE FROM dirty_stretches WHERE node = ?", [number.sqlValue])
            for index in ours.union(agreed.keys).sorted() {
                let theirs = agreed[index] ?? []
                guard try stretch(StretchKey(node: number, index: index)) != theirs else { continue }
                try execute(
                    "INSERT INTO dirty_stretches (node, stretch, base) VALUES (?, ?, ?)",
                    [
                        number.sqlValue, index.sqlValue,
                        theirs.isEmpty ? .null : ExtentsCodec.encode(theirs).sqlValue,
                    ])
            }
            if !node.contentDirty { markDirty(&node, content: true, now: node.contentChangedAt) }
            try save(node)
        }
    }
}
