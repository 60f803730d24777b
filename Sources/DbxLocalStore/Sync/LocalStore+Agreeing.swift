package import DbxModel

/// What the server said becomes the agreed state. Called inside `transaction` by the code that decides.
extension LocalStore {
    /// Takes the server's state of a node that is clean here, or new to this client: then it has no name yet, and
    /// `knowledge` is what is known of the directory.
    package func putAgreedNode(
        _ agreed: AgreedNode, knowledge: DirectoryKnowledge = .whole
    ) throws(StoreError) {
        try transaction {
            guard var node = try node(agreed.id) else {
                var new = Self.fresh(agreed, change: change)
                new.knowledge = new.kind == .directory ? knowledge : .whole
                _ = try insert(new)
                return
            }
            if agreed.size < node.size, node.kind == .file { try cut(&node, to: agreed.size) }
            node.attributes = agreed.attributes
            node.seq = agreed.seq
            try becomeAgreed(&node)
            node.attributesSeq = agreed.attributesSeq
            take(contentSeq: agreed.contentSeq, of: &node)
            if node.contentDirty { try forgetDirtyStretches(of: node.number) }
            node.attributesDirty = false
            node.contentDirty = false
            node.baseAttributes = nil
            node.dirtySince = nil
            node.mtimeIsExplicit = false
            if node.kind == .file { node.size = agreed.size }
            try save(node)
        }
    }

    /// Where the server's content is another one, it is known when it came: see `LocalEntry.parted`.
    func take(contentSeq: Seq, of node: inout LocalNode) {
        if contentSeq != node.contentSeq, node.kind == .file, !node.isOrphan {
            node.change = nextChange()
            node.contentChange = node.change
        }
        node.contentSeq = contentSeq
    }

    /// The node is new here, but names that were taken from it here knew it with another content.
    package func noteNewContent(of id: NodeID) throws(StoreError) {
        try transaction {
            guard var node = try node(id) else { return }
            node.change = nextChange()
            node.contentChange = node.change
            try save(node)
        }
    }

    /// A node without a name: the entry that leads to it follows, unless that name was taken away here.
    static func fresh(_ agreed: AgreedNode, change: Int64) -> LocalNode {
        LocalNode(
            number: InodeNumber(rawValue: 0), id: agreed.id, kind: agreed.kind, attributes: agreed.attributes,
            accessTime: agreed.attributes.mtime, links: 0,
            size: agreed.kind == .symlink ? Int64(agreed.target?.count ?? 0) : agreed.size, allocatedBytes: 0,
            target: agreed.target, seq: agreed.seq, attributesSeq: agreed.attributesSeq,
            contentSeq: agreed.contentSeq, attributesDirty: false, contentDirty: false, baseAttributes: nil,
            change: change, contentChange: 0, dirtySince: nil, contentChangedAt: agreed.attributes.mtime,
            syncedSinceChange: false, mtimeIsExplicit: false, isOrphan: true)
    }

    /// Takes away what lies behind a new, smaller size, without marking anything.
    func cut(_ node: inout LocalNode, to size: Int64) throws {
        let used = try query(
            "SELECT DISTINCT start / ? FROM content WHERE node = ? AND start + length > ?",
            [
                ContentLimits.segmentBytes.sqlValue, node.number.sqlValue, size.sqlValue,
            ]
        ) { StretchKey(node: node.number, index: $0[0]) }
        for key in used {
            let part = max(size, key.range.lowerBound)..<key.range.upperBound
            if !part.isEmpty { try replace(&node, key, part, []) }
        }
    }

    /// Merged attributes of a node that stays as dirty as it is; `size` where the content is the server's.
    package func putMergedAttributes(
        _ id: NodeID, _ attributes: NodeAttributes, size: Int64?
    ) throws(StoreError) {
        try transaction {
            guard var node = try node(id) else { return }
            if let size, node.kind == .file {
                if size < node.size { try cut(&node, to: size) }
                node.size = size
            }
            node.attributes = attributes
            if node.baseAttributes == attributes { node.attributesDirty = false }
            try save(node)
        }
    }

    private func subdirectories(of number: InodeNumber) throws -> Int64 {
        try queryOne(
            "SELECT count(*) FROM entries JOIN nodes ON nodes.number = entries.child WHERE parent = ? AND kind = ?",
            [number.sqlValue, (NodeKind.allCases.firstIndex(of: .directory) ?? 0).sqlValue]
        ) { $0[0] as Int64 } ?? 0
    }

    /// Takes the server's extents of one stretch; only while the content is clean. Their blocks must be known.
    package func putAgreedSegment(node id: NodeID, index: Int64, extents: [Extent]) throws(StoreError) {
        try transaction {
            guard var node = try node(id) else { return }
            let key = StretchKey(node: node.number, index: index)
            let blocks = try extents.map { extent -> LocalExtent in
                guard let block = try blockNumber(extent.block) else {
                    throw StoreError.corrupt("the server named block \(extent.block) without its key")
                }
                return LocalExtent(
                    offset: extent.offset, length: extent.length, source: .block(block, offset: extent.blockOffset))
            }
            try replace(&node, key, key.range, blocks)
            try save(node)
        }
    }

    /// The local state of a name becomes `node` (nil: none), as agreed at `seq`; link counts and times follow.
    package func putAgreedEntry(
        parent: NodeID, name: Name, node id: NodeID?, seq: Seq
    ) throws(StoreError) {
        try transaction {
            guard let directory = try node(parent) else { return }
            let child = try id.flatMap { try node($0) }
            let before = try lookup(directory.number, name)
            try willChange(NameKey(parent: directory.number, name: name))
            let key = [directory.number.sqlValue, name.bytes.sqlValue]
            if let child {
                try execute(
                    """
                    INSERT INTO entries (parent, name, child, cookie, base, base_node, dirty, change)
                    VALUES (?, ?, ?, ?, ?, NULL, 0, 0)
                    ON CONFLICT (parent, name) DO UPDATE SET child = excluded.child, base = excluded.base,
                        base_node = NULL, dirty = 0
                    """,
                    key + [
                        child.number.sqlValue, nextCookieValue().sqlValue, seq.value.sqlValue,
                    ])
            } else {
                try execute("DELETE FROM entries WHERE parent = ? AND name = ?", key)
            }
            remember(NameKey(parent: directory.number, name: name), child?.number)
            guard before?.number != child?.number else { return }
            if let before { try changeLinks(before.number, by: -1, in: directory.number) }
            if let child { try changeLinks(child.number, by: 1, in: directory.number) }
            try noteRulesChange(directory.number, name)
            if child?.kind == .directory { try reviewEverything() }
        }
    }

    private func changeLinks(_ number: InodeNumber, by step: Int64, in directory: InodeNumber) throws {
        var node = try existing(number)
        if node.kind == .directory {
            try touchDirectory(directory, linkChange: step, now: nil)
            node = try existing(number)
            let isNamed = try parent(of: number) != nil
            if isNamed, node.isOrphan { node.links = try 2 + subdirectories(of: number) }
            node.isOrphan = !isNamed
        } else {
            node.links += step
            node.isOrphan = node.links <= 0
        }
        try save(node)
    }

    /// Ours stays as it is, as a change on a newer base. `seq` is that of the newest row seen, `baseAttributes` replaces the agreed attributes where given.
    package func rebaseNode(
        _ id: NodeID, seq: Seq?, attributesSeq: Seq?, contentSeq: Seq?, baseAttributes: NodeAttributes?
    ) throws(StoreError) {
        try transaction {
            guard var node = try node(id) else { return }
            if let seq {
                node.seq = seq
                try becomeAgreed(&node)
            }
            if let attributesSeq { node.attributesSeq = attributesSeq }
            if let contentSeq {
                // A content of ours stays the one that it was when it was sent.
                if node.contentDirty { node.contentSeq = contentSeq } else { take(contentSeq: contentSeq, of: &node) }
            }
            if let baseAttributes, node.attributesDirty { node.baseAttributes = baseAttributes }
            try save(node)
        }
    }

    /// Ours stays as it is, as a change on a newer base. Where ours is that there is no name, and nothing was kept of it
    /// because the server had none either, it becomes a removal of what the server has now. A name that a rule keeps here
    /// hides nothing of the server's, so that goes first.
    package func rebaseEntry(parent: NodeID, name: Name, base: Seq, baseNode: NodeID?) throws(StoreError) {
        try transaction {
            guard let directory = try node(parent) else { return }
            try execute(
                """
                INSERT INTO entries (parent, name, child, cookie, base, base_node, dirty, change)
                VALUES (?1, ?2, NULL, ?3, ?4, ?5, 1, ?6)
                ON CONFLICT (parent, name) DO UPDATE SET base = excluded.base, base_node = excluded.base_node,
                    dirty = CASE WHEN ?5 IS NULL THEN max(dirty, 1) ELSE 1 END,
                    parted = CASE WHEN base_node IS excluded.base_node THEN parted END,
                    change = CASE WHEN dirty = 1 OR (dirty > 1 AND ?5 IS NULL) THEN change ELSE excluded.change END
                """,
                [
                    directory.number.sqlValue, name.bytes.sqlValue, nextCookieValue().sqlValue,
                    base.value.sqlValue, baseNode?.bytes.sqlValue ?? .null, nextChange().sqlValue,
                ])
            if baseNode == nil { try reviewFreed(name, in: directory.number) }
        }
    }

    /// The server has nothing under the name any more: what a rule keeps here, and had to wait for that, is free now.
    func reviewFreed(_ name: Name, in directory: InodeNumber) throws {
        if let child = try lookup(directory, name), child.isLocalOnly { try review(child.number) }
    }

    func forgetDirtyStretches(of number: InodeNumber) throws {
        try execute("DELETE FROM dirty_stretches WHERE node = ?", [number.sqlValue])
    }

    /// Rows that only waited for their commit; dropped unless some program has them open. Looks at `limit` of them, behind
    /// `last`; returned is where it goes on, if there may be more.
    package func dropDeadNodes(
        after last: InodeNumber? = nil, limit: Int = .max, isOpen: (InodeNumber) -> Bool
    ) throws(StoreError) -> InodeNumber? {
        try transaction {
            let dead = try nodes(
                where: "flags & 16 != 0 AND seq = 0 AND number > ? ORDER BY number LIMIT ?",
                [(last?.rawValue ?? 0).sqlValue, Int64(clamping: limit).sqlValue])
            for node in dead where !isOpen(node.number) {
                if try !keptNodes.contains(node.number) && !isStillNeeded(node) { try drop(node) }
            }
            return dead.count < limit ? nil : dead.last?.number
        }
    }

    /// The server's end of a node that has no name here. What a directory still holds loses that name.
    package func removeNode(_ id: NodeID) throws(StoreError) {
        try transaction {
            guard let node = try node(id) else { return }
            for entry in try entries("entries.parent = ? AND child IS NOT NULL", [node.number.sqlValue]) {
                try putAgreedEntry(parent: id, name: entry.name, node: nil, seq: entry.base)
            }
            try execute("DELETE FROM entries WHERE parent = ?", [node.number.sqlValue])
            try execute("DELETE FROM listings WHERE node = ?", [node.number.sqlValue])
            try drop(node)
        }
    }

    /// A node that goes on here although the server's has ended, or has taken another content, becomes a new node.
    package func changeIdentity(of number: InodeNumber, to id: NodeID) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            let old = node.id
            node.id = id
            node.seq = .zero
            node.attributesSeq = .zero
            node.contentSeq = .zero
            node.isLocalOnly = false
            node.attributesDirty = true
            node.baseAttributes = nil
            node.contentDirty = node.kind == .file
            node.change = nextChange()
            node.contentChange = node.change
            if node.dirtySince == nil { node.dirtySince = time.now() }
            try save(node)
            try keepOldIdentity(old, number)
            if node.kind == .directory {
                try forgetBases(in: number)
                try setKnowledge(of: number, .whole)
            }
            if node.kind == .file { try markAllStretches(node) }
            // Names that a rule keeps here may be all that it is left with.
            try reviewNames(of: node)
        }
    }

    /// Names that lead to the node are changes now: the server has the old node under them.
    private func keepOldIdentity(_ old: NodeID, _ number: InodeNumber) throws {
        try execute(
            "UPDATE entries SET base_node = ?, dirty = 1, change = ? WHERE child = ? AND dirty = 0",
            [old.bytes.sqlValue, nextChange().sqlValue, number.sqlValue])
    }

    /// The server has nothing in a directory that it does not know. Each name is a change of its own: who goes through
    /// changes in steps goes on behind one.
    func forgetBases(in directory: InodeNumber) throws {
        try execute("DELETE FROM entries WHERE parent = ? AND child IS NULL", [directory.sqlValue])
        let count: Int64 =
            try queryOne("SELECT count(*) FROM entries WHERE parent = ?", [directory.sqlValue]) { $0[0] } ?? 0
        try execute(
            """
            UPDATE entries SET base = 0, base_node = NULL, dirty = 1, change = ?1 + place
            FROM (SELECT name AS other, row_number() OVER (ORDER BY name) AS place FROM entries WHERE parent = ?2)
            WHERE parent = ?2 AND name = other
            """, [change.sqlValue, directory.sqlValue])
        change += count
    }

    func markAllStretches(_ node: LocalNode) throws {
        try execute(
            "INSERT INTO dirty_stretches (node, stretch) SELECT DISTINCT node, start / ? FROM content WHERE node = ? ON CONFLICT DO NOTHING",
            [ContentLimits.segmentBytes.sqlValue, node.number.sqlValue])
    }
}
