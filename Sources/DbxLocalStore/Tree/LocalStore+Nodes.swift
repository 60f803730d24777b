package import DbxModel

/// Bits of `nodes.flags`.
struct NodeFlags: OptionSet {
    let rawValue: Int64

    static let attributesDirty = NodeFlags(rawValue: 1)
    static let contentDirty = NodeFlags(rawValue: 2)
    static let synced = NodeFlags(rawValue: 4)
    static let mtimeExplicit = NodeFlags(rawValue: 8)
    static let orphan = NodeFlags(rawValue: 16)
    static let localOnly = NodeFlags(rawValue: 32)
    static let partial = NodeFlags(rawValue: 64)
    static let stale = NodeFlags(rawValue: 128)

    var knowledge: DirectoryKnowledge { contains(.partial) ? .partial : contains(.stale) ? .stale : .whole }
}

extension LocalStore {
    private static let columns = """
        number, id, kind, mode, uid, gid, rdev, mtime, ctime, birth, atime, xattrs, target, links, size, allocated, \
        seq, attributes_seq, content_seq, flags, base_attributes, change, dirty_since, content_changed, content_change
        """
    private static let kinds = NodeKind.allCases

    package func node(_ number: InodeNumber) throws(StoreError) -> LocalNode? {
        if let node = nodes[number] { return node }
        do {
            let node = try queryOne(
                "SELECT \(Self.columns) FROM nodes WHERE number = ?", [number.sqlValue], Self.node)
            if let node { remember(node) }
            return node
        } catch {
            throw Self.storeError(error)
        }
    }

    package func node(_ id: NodeID) throws(StoreError) -> LocalNode? {
        if let known = numbers[id], let node = nodes[known], node.id == id { return node }
        do {
            let number = try queryOne("SELECT number FROM nodes WHERE id = ?", [id.bytes.sqlValue]) {
                InodeNumber($0[0])
            }
            guard let number else { return nil }
            remember(number, of: id)
            return try node(number)
        } catch {
            throw Self.storeError(error)
        }
    }

    func nodes(where condition: String, _ values: [SQLValue]) throws -> [LocalNode] {
        try query("SELECT \(Self.columns) FROM nodes WHERE \(condition)", values, Self.node)
    }

    /// The node, which the caller knows to be there.
    func existing(_ number: InodeNumber) throws -> LocalNode {
        guard let node = try node(number) else { throw StoreError.notFound }
        return node
    }

    func remember(_ node: LocalNode) {
        if nodes.count >= 200_000 { nodes.removeAll(keepingCapacity: true) }
        nodes[node.number] = node
    }

    private func remember(_ number: InodeNumber, of id: NodeID) {
        if numbers.count >= 16_000 { numbers.removeAll(keepingCapacity: true) }
        numbers[id] = number
    }

    // MARK: Rows

    private static func node(_ row: SQLRow) throws -> LocalNode {
        let kind: Int = row[2]
        guard let id = NodeID(bytes: row.bytes(1)), Self.kinds.indices.contains(kind) else {
            throw StoreError.corrupt("a node's row")
        }
        let flags = NodeFlags(rawValue: row[19])
        func time(_ index: Int) -> Timestamp { Timestamp(nanoseconds: row[index]) }
        let mode: Int64 = row[3]
        let rdev: Int64 = row[6]
        let dirtySince: Int64? = row[22]
        return LocalNode(
            number: InodeNumber(row[0]), id: id, kind: Self.kinds[kind],
            attributes: NodeAttributes(
                mode: UInt16(truncatingIfNeeded: mode), uid: owner(row[4]), gid: owner(row[5]), mtime: time(7),
                ctime: time(8), birthTime: time(9), rdev: UInt64(bitPattern: rdev),
                extendedAttributes: try row.bytesIfPresent(11).map(AttributesCodec.decodeExtended) ?? []),
            accessTime: time(10), links: row[13], size: row[14], allocatedBytes: row[15],
            target: row.bytesIfPresent(12), seq: Seq(row[16]), attributesSeq: Seq(row[17]), contentSeq: Seq(row[18]),
            attributesDirty: flags.contains(.attributesDirty), contentDirty: flags.contains(.contentDirty),
            baseAttributes: try row.bytesIfPresent(20).map(AttributesCodec.decode), change: row[21],
            contentChange: row[24],
            dirtySince: dirtySince.map(Timestamp.init(nanoseconds:)), contentChangedAt: time(23),
            syncedSinceChange: flags.contains(.synced), mtimeIsExplicit: flags.contains(.mtimeExplicit),
            isOrphan: flags.contains(.orphan), isLocalOnly: flags.contains(.localOnly),
            knowledge: flags.knowledge)
    }

    private static func owner(_ value: Int64?) -> UInt32? { value.map { UInt32(truncatingIfNeeded: $0) } }

    private static func flags(of node: LocalNode) -> NodeFlags {
        var flags: NodeFlags = []
        if node.attributesDirty { flags.insert(.attributesDirty) }
        if node.contentDirty { flags.insert(.contentDirty) }
        if node.syncedSinceChange { flags.insert(.synced) }
        if node.mtimeIsExplicit { flags.insert(.mtimeExplicit) }
        if node.isOrphan { flags.insert(.orphan) }
        if node.isLocalOnly { flags.insert(.localOnly) }
        switch node.knowledge {
        case .whole: break
        case .stale: flags.insert(.stale)
        case .partial: flags.insert(.partial)
        }
        return flags
    }

    private static func values(of node: LocalNode) -> [SQLValue] {
        let attributes = node.attributes
        let extended = attributes.extendedAttributes
        return [
            node.number.sqlValue, node.id.bytes.sqlValue, (kinds.firstIndex(of: node.kind) ?? 0).sqlValue,
            Int64(attributes.mode).sqlValue,
            attributes.uid.map { Int64($0).sqlValue } ?? .null,
            attributes.gid.map { Int64($0).sqlValue } ?? .null,
            Int64(bitPattern: attributes.rdev).sqlValue,
            attributes.mtime.nanoseconds.sqlValue, attributes.ctime.nanoseconds.sqlValue,
            attributes.birthTime.nanoseconds.sqlValue, node.accessTime.nanoseconds.sqlValue,
            extended.isEmpty ? .null : AttributesCodec.encode(extended).sqlValue, node.target?.sqlValue ?? .null,
            node.links.sqlValue, node.size.sqlValue, node.allocatedBytes.sqlValue,
            node.seq.value.sqlValue, node.attributesSeq.value.sqlValue, node.contentSeq.value.sqlValue,
            flags(of: node).rawValue.sqlValue,
            node.baseAttributes.map { AttributesCodec.encode($0).sqlValue } ?? .null, node.change.sqlValue,
            node.dirtySince.map { $0.nanoseconds.sqlValue } ?? .null,
            node.contentChangedAt.nanoseconds.sqlValue, node.contentChange.sqlValue,
        ]
    }

    private static let insertSQL =
        "INSERT INTO nodes (\(columns)) VALUES (\(Array(repeating: "?", count: 25).joined(separator: ", ")))"
    private static let updateSQL = """
        UPDATE nodes SET (\(columns)) = (\((1...25).map { "?\($0)" }.joined(separator: ", "))) WHERE number = ?1
        """

    /// Adds a node under the next number.
    func insert(_ node: LocalNode) throws -> LocalNode {
        try requireRoom()
        var values = Self.values(of: node)
        if node.number.rawValue == 0 { values[0] = .null }
        try execute(Self.insertSQL, values)
        var inserted = node
        inserted.number = InodeNumber(lastRowID)
        remember(inserted)
        remember(inserted.number, of: inserted.id)
        return inserted
    }

    func save(_ node: LocalNode) throws {
        try execute(Self.updateSQL, Self.values(of: node))
        remember(node)
    }

    /// Saves what a change of the node's names changes: links, change time and flags.
    func saveLinks(_ node: LocalNode) throws {
        try execute(
            "UPDATE nodes SET links = ?, ctime = ?, flags = ? WHERE number = ?",
            [
                node.links.sqlValue, node.attributes.ctime.nanoseconds.sqlValue,
                Self.flags(of: node).rawValue.sqlValue, node.number.sqlValue,
            ])
        remember(node)
    }

    /// Saves what a change of the content changes.
    func saveContent(_ node: LocalNode) throws {
        try execute(
            """
            UPDATE nodes SET size = ?, allocated = ?, mtime = ?, ctime = ?, flags = ?, change = ?, dirty_since = ?,
                content_changed = ?, content_change = ? WHERE number = ?
            """,
            [
                node.size.sqlValue, node.allocatedBytes.sqlValue, node.attributes.mtime.nanoseconds.sqlValue,
                node.attributes.ctime.nanoseconds.sqlValue, Self.flags(of: node).rawValue.sqlValue,
                node.change.sqlValue, node.dirtySince.map { $0.nanoseconds.sqlValue } ?? .null,
                node.contentChangedAt.nanoseconds.sqlValue, node.contentChange.sqlValue, node.number.sqlValue,
            ])
        remember(node)
    }

    /// Drops the row with all that belongs to it. Entries are the caller's affair.
    func drop(_ node: LocalNode) throws {
        try dropContent(of: node)
        try releaseReservation(node.number)
        try execute("DELETE FROM nodes WHERE number = ?", [node.number.sqlValue])
        nodes[node.number] = nil
    }

    // MARK: Dirtiness

    /// Marks a node as changed here; the first time its agreed attributes are kept for merging.
    func markDirty(_ node: inout LocalNode, attributes: Bool = false, content: Bool = false, now: Timestamp) {
        if attributes, !node.attributesDirty {
            node.baseAttributes = node.isNew ? nil : node.attributes
            node.attributesDirty = true
        }
        if content {
            node.contentDirty = true
            node.contentChangedAt = now
            node.syncedSinceChange = false
        }
        if node.dirtySince == nil { node.dirtySince = now }
        node.change = nextChange()
        if content { node.contentChange = node.change }
    }
}
