package import DbxModel

/// Tree operations of the file system. POSIX checks are the caller's; these keep the rows consistent.
extension LocalStore {
    package func lookup(_ parent: InodeNumber, _ name: Name) throws(StoreError) -> LocalNode? {
        do {
            let key = NameKey(parent: parent, name: name)
            if let known = names[key] { return try known.flatMap(node) }
            let number = try queryOne(
                "SELECT child FROM entries WHERE parent = ? AND name = ? AND child IS NOT NULL",
                [parent.sqlValue, name.bytes.sqlValue]
            ) { InodeNumber($0[0]) }
            remember(key, number)
            return try number.flatMap(node)
        } catch {
            throw Self.storeError(error)
        }
    }

    func remember(_ key: NameKey, _ number: InodeNumber?) {
        if names.count >= 400_000 { names.removeAll(keepingCapacity: true) }
        names[key] = .some(number)
    }

    /// Entries behind `cookie` (0 from the beginning), at most `limit`, in cookie order.
    package func list(
        _ directory: InodeNumber, after cookie: Int64, limit: Int
    ) throws(StoreError) -> [DirectoryEntry] {
        do {
            let rows = try query(
                """
                SELECT entries.cookie, entries.name, entries.child, nodes.kind FROM entries
                JOIN nodes ON nodes.number = entries.child
                WHERE entries.parent = ? AND entries.cookie > ? ORDER BY entries.cookie LIMIT ?
                """, [directory.sqlValue, cookie.sqlValue, Int64(clamping: limit).sqlValue]
            ) { row -> (Int64, [UInt8], Int64, Int) in (row[0], row.bytes(1), row[2], row[3]) }
            return try rows.map { cookie, bytes, number, kind in
                guard let name = Name(bytes), NodeKind.allCases.indices.contains(kind) else {
                    throw StoreError.corrupt("an entry's row")
                }
                return DirectoryEntry(
                    cookie: cookie, name: name, number: InodeNumber(number), kind: NodeKind.allCases[kind])
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func isEmpty(_ directory: InodeNumber) throws(StoreError) -> Bool {
        do {
            return try queryOne(
                "SELECT 1 FROM entries WHERE parent = ? AND child IS NOT NULL LIMIT 1",
                [directory.sqlValue]
            ) { _ in true } == nil
        } catch {
            throw Self.storeError(error)
        }
    }

    /// The directory above; nil for the root and for orphans.
    package func parent(of directory: InodeNumber) throws(StoreError) -> InodeNumber? {
        do {
            return try queryOne(
                "SELECT parent FROM entries WHERE child = ? LIMIT 1", [directory.sqlValue]
            ) { InodeNumber($0[0]) }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Whether `ancestor` is `directory` itself or lies on the way from it to the root. The way may be a ring, until the
    /// next pull takes it apart.
    package func isAncestor(_ ancestor: InodeNumber, of directory: InodeNumber) throws(StoreError) -> Bool {
        var seen: Set<InodeNumber> = []
        var current: InodeNumber? = directory
        while let number = current, seen.insert(number).inserted {
            if number == ancestor { return true }
            current = try parent(of: number)
        }
        return false
    }

    // MARK: Changes

    package func create(
        _ new: NewNode, in parent: InodeNumber, _ name: Name, now: Timestamp
    ) throws(StoreError) -> LocalNode {
        try transaction {
            guard try lookup(parent, name) == nil else { throw StoreError.nameTaken }
            var made = fresh(new, now: now)
            made.isLocalOnly = try existing(parent).isLocalOnly
            let node = try insert(made)
            try setEntry(parent, name, child: node.number)
            try touchDirectory(parent, linkChange: new.kind == .directory ? 1 : 0, now: now)
            return node
        }
    }

    /// A node without a name, as O_TMPFILE makes: gone at its last close unless it is linked before.
    package func createOrphan(_ new: NewNode, now: Timestamp) throws(StoreError) -> LocalNode {
        try transaction {
            var node = fresh(new, now: now)
            node.links = 0
            node.isOrphan = true
            return try insert(node)
        }
    }

    private func fresh(_ new: NewNode, now: Timestamp) -> LocalNode {
        LocalNode(
            number: InodeNumber(rawValue: 0), id: NodeID(high: entropy.next(), low: entropy.next()), kind: new.kind,
            attributes: NodeAttributes(
                mode: new.mode & 0o7777, uid: new.uid, gid: new.gid, mtime: now, ctime: now, birthTime: now,
                rdev: new.rdev),
            accessTime: now, links: new.kind == .directory ? 2 : 1, size: Int64(new.target?.count ?? 0),
            allocatedBytes: 0, target: new.target, seq: .zero, attributesSeq: .zero, contentSeq: .zero,
            attributesDirty: true, contentDirty: new.kind == .file, baseAttributes: nil, change: nextChange(),
            contentChange: change,
            dirtySince: now, contentChangedAt: now, syncedSinceChange: false, mtimeIsExplicit: false, isOrphan: false)
    }

    package func link(
        _ number: InodeNumber, in parent: InodeNumber, _ name: Name, now: Timestamp
    ) throws(StoreError) -> LocalNode {
        try requireRoom()
        return try transaction {
            guard try lookup(parent, name) == nil else { throw StoreError.nameTaken }
            var node = try existing(number)
            node.links += 1
            node.isOrphan = false
            node.attributes.ctime = now
            try save(node)
            try setEntry(parent, name, child: number)
            try touchDirectory(parent, linkChange: 0, now: now)
            return node
        }
    }

    /// Takes the name away. The node is returned as it is now: an orphan when that was its last name.
    @discardableResult
    package func unlink(_ parent: InodeNumber, _ name: Name, now: Timestamp) throws(StoreError) -> LocalNode {
        guard let node = try lookup(parent, name) else { throw StoreError.notFound }
        return try unlink(parent, name, of: node, now: now)
    }

    /// The same where the caller has just looked up which node the name leads to.
    package func unlink(
        _ parent: InodeNumber, _ name: Name, of node: LocalNode, now: Timestamp
    ) throws(StoreError) -> LocalNode {
        try transaction {
            try setEntry(parent, name, child: nil)
            try touchDirectory(parent, linkChange: node.kind == .directory ? -1 : 0, now: now)
            return try loseName(node, now: now)
        }
    }

    private func loseName(_ node: LocalNode, now: Timestamp) throws -> LocalNode {
        var node = node
        node.attributes.ctime = now
        node.links -= node.kind == .directory ? 2 : 1
        if node.kind == .directory || node.links <= 0 {
            node.links = 0
            node.isOrphan = true
        }
        try saveLinks(node)
        if !node.isOrphan { try reviewNames(of: node) }
        return node
    }

    /// Moves a name. With `replace`, what the new name held is returned as it is now; with `exchange` both change places.
    @discardableResult
    package func rename(
        from parent: InodeNumber, _ name: Name, to newParent: InodeNumber, _ newName: Name, mode: RenameMode,
        now: Timestamp
    ) throws(StoreError) -> LocalNode? {
        try transaction {
            guard let node = try lookup(parent, name) else { throw StoreError.notFound }
            let other = try lookup(newParent, newName)
            if other?.number == node.number { return nil }
            if mode == .exchange {
                guard let other else { throw StoreError.notFound }
                try setEntry(parent, name, child: other.number)
                try setEntry(newParent, newName, child: node.number)
                try touchMoved([node, other], now: now)
                try touchMove(parent, newParent, moved: node, displaced: other, exchange: true, now: now)
                return nil
            }
            if other != nil, mode == .noReplace { throw StoreError.nameTaken }
            try setEntry(parent, name, child: nil)
            try setEntry(newParent, newName, child: node.number)
            try touchMoved([node], now: now)
            try touchMove(parent, newParent, moved: node, displaced: other, exchange: false, now: now)
            return try other.map { try loseName($0, now: now) }
        }
    }

    private func touchMoved(_ moved: [LocalNode], now: Timestamp) throws {
        for var node in moved {
            node.attributes.ctime = now
            try saveLinks(node)
            try reviewNames(of: node)
        }
    }

    private func touchMove(
        _ parent: InodeNumber, _ newParent: InodeNumber, moved: LocalNode, displaced: LocalNode?, exchange: Bool,
        now: Timestamp
    ) throws {
        let arrives: Int64 = moved.kind == .directory ? 1 : 0
        let leaves: Int64 = displaced?.kind == .directory ? 1 : 0
        if parent == newParent {
            try touchDirectory(parent, linkChange: exchange ? 0 : -leaves, now: now)
        } else {
            try touchDirectory(parent, linkChange: -arrives + (exchange ? leaves : 0), now: now)
            try touchDirectory(newParent, linkChange: arrives - leaves, now: now)
        }
    }

    /// Drops an orphan once no program has it open any more. One that the server knows keeps its row until the server
    /// knows that it is gone.
    package func removeOrphan(_ number: InodeNumber) throws(StoreError) {
        try transaction {
            guard let node = try node(number), node.isOrphan, !keptNodes.contains(number) else { return }
            try releaseReservation(number)
            if try isStillNeeded(node) {
                try revertContent(of: node)
            } else {
                try drop(node)
            }
        }
    }

    /// Whether the server has not said yet that the node is gone: until then it may come back, by another name that
    /// somebody gave it meanwhile. Or a commit that is planned or under way may make it there; or entries that wait for their commit speak of
    /// it, or lie in it.
    func isStillNeeded(_ node: LocalNode) throws -> Bool {
        if !node.isNew || hasPlannedCommit { return true }
        let isAwaited = try queryOne(
            """
            SELECT 1 WHERE EXISTS (SELECT 1 FROM commits)
                OR EXISTS (SELECT 1 FROM entries WHERE dirty = 1 AND base_node = ?)
            """, [node.id.bytes.sqlValue]
        ) { _ in true }
        if isAwaited != nil { return true }
        guard node.kind == .directory else { return false }
        return try queryOne("SELECT 1 FROM entries WHERE parent = ? LIMIT 1", [node.number.sqlValue]) { _ in true }
            != nil
    }

    // MARK: Rows

    /// Sets the local state of a name and marks it dirty; a row that is as the server has it is clean again.
    func setEntry(_ parent: InodeNumber, _ name: Name, child: InodeNumber?) throws {
        try willChange(NameKey(parent: parent, name: name))
        let key = [parent.sqlValue, name.bytes.sqlValue]
        if child == nil {
            // What the server does not have leaves no trace.
            try execute("DELETE FROM entries WHERE parent = ? AND name = ? AND base_node IS NULL AND dirty != 0", key)
            if database.changedRows > 0 { return remember(NameKey(parent: parent, name: name), nil) }
        }
        let childValue = child.map { $0.sqlValue } ?? .null
        if child != nil {
            try execute(
                """
                INSERT INTO entries (parent, name, child, cookie, base, base_node, dirty, change)
                VALUES (?1, ?2, ?3, ?4, 0, NULL, ?6, ?5)
                ON CONFLICT (parent, name) DO UPDATE SET base_node = CASE WHEN dirty != 0 THEN base_node ELSE
                    (SELECT id FROM nodes WHERE number = entries.child) END,
                    parted = CASE WHEN dirty != 0 THEN parted ELSE excluded.change END, child = excluded.child,
                    dirty = excluded.dirty, change = excluded.change
                """,
                key + [childValue, takeCookie().sqlValue, nextChange().sqlValue, try entryState(in: parent).sqlValue])
        } else {
            try execute(
                """
                UPDATE entries SET base_node = CASE WHEN dirty != 0 THEN base_node ELSE
                    (SELECT id FROM nodes WHERE number = entries.child) END,
                    parted = CASE WHEN dirty != 0 THEN parted ELSE ?3 END, child = NULL, dirty = 1, change = ?3
                WHERE parent = ?1 AND name = ?2
                """, key + [nextChange().sqlValue])
        }
        remember(NameKey(parent: parent, name: name), child)
        if let child { stagingLog.place(child, in: parent, name) }
        try noteRulesChange(parent, name)
    }

    private func takeCookie() -> Int64 {
        defer { nextCookie += 1 }
        return nextCookie
    }

    func nextCookieValue() -> Int64 { takeCookie() }

    /// An entry of the directory changed: its times follow, unless the change came from the server.
    func touchDirectory(_ number: InodeNumber, linkChange: Int64, now: Timestamp?) throws {
        var directory = try existing(number)
        let wasExplicit = directory.mtimeIsExplicit
        directory.links += linkChange
        if let now {
            directory.attributes.mtime = now
            directory.attributes.ctime = now
            directory.mtimeIsExplicit = false
        }
        if wasExplicit, now != nil { return try save(directory) }
        try execute(
            "UPDATE nodes SET links = ?, mtime = ?, ctime = ? WHERE number = ?",
            [
                directory.links.sqlValue, directory.attributes.mtime.nanoseconds.sqlValue,
                directory.attributes.ctime.nanoseconds.sqlValue, number.sqlValue,
            ])
        remember(directory)
    }

    package func setAttributes(
        _ number: InodeNumber, _ update: AttributeUpdate, now: Timestamp
    ) throws(StoreError) -> LocalNode {
        try transaction {
            var node = try existing(number)
            if let new = update.extendedAttributes, new.count >= node.attributes.extendedAttributes.count {
                try requireRoom()
            }
            markDirty(&node, attributes: true, now: now)
            if let mode = update.mode { node.attributes.mode = mode & 0o7777 }
            if let uid = update.uid { node.attributes.uid = uid }
            if let gid = update.gid { node.attributes.gid = gid }
            if let mtime = update.mtime {
                node.attributes.mtime = mtime
                node.mtimeIsExplicit = node.kind == .directory
            }
            if let extended = update.extendedAttributes { node.attributes.extendedAttributes = extended }
            node.attributes.ctime = now
            try save(node)
            return node
        }
    }

    /// Access times stay on this device and make nothing dirty.
    package func setAccessTime(_ number: InodeNumber, _ moment: Timestamp) throws(StoreError) {
        try transaction {
            var node = try existing(number)
            node.accessTime = moment
            try save(node)
        }
    }
}
