package import DbxModel
import GRDB

/// Bits of `nodes.flags`.
struct NodeFlags: OptionSet {
    let rawValue: Int64

    static let attributesDirty = NodeFlags(rawValue: 1)
    static let contentDirty = NodeFlags(rawValue: 2)
    static let synced = NodeFlags(rawValue: 4)
    static let mtimeExplicit = NodeFlags(rawValue: 8)
    static let orphan = NodeFlags(rawValue: 16)
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
                "SELECT \(Self.columns) FROM nodes WHERE number = ?", [number.sql.databaseValue], Self.node)
            if let node { remember(node) }
            return node
        } catch {
            throw Self.storeError(error)
        }
    }

    package func node(_ id: NodeID) throws(StoreError) -> LocalNode? {
        do {
            let number = try queryOne("SELECT number FROM nodes WHERE id = ?", [id.bytes.sql]) { InodeNumber($0[0]) }
            return try number.flatMap(node)
        } catch {
            throw Self.storeError(error)
        }
    }

    func nodes(where condition: String, _ values: [DatabaseValue]) throws -> [LocalNode] {
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

    // MARK: Rows

    private static func node(_ row: Row) throws -> LocalNode {
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
            isOrphan: flags.contains(.orphan))
    }

    private static func owner(_ value: Int64?) -> UInt32? { value.map { UInt32(truncatingIfNeeded: $0) } }

    private static func flags(of node: LocalNode) -> NodeFlags {
        var flags: NodeFlags = []
        if node.attributesDirty { flags.insert(.attributesDirty) }
        if node.contentDirty { flags.insert(.contentDirty) }
        if node.syncedSinceChange { flags.insert(.synced) }
        if node.mtimeIsExplicit { flags.insert(.mtimeExplicit) }
        if node.isOrphan { flags.insert(.orphan) }
        return flags
    }

    private static func values(of node: LocalNode) -> [DatabaseValue] {
        let attributes = node.attributes
        let extended = attributes.extendedAttributes
        return [
            node.number.sql.databaseValue, node.id.bytes.sql, (kinds.firstIndex(of: node.kind) ?? 0).databaseValue,
            Int64(attributes.mode).databaseValue,
            attributes.uid.map { Int64($0).databaseValue } ?? .null,
            attributes.gid.map { Int64($0).databaseValue } ?? .null,
            Int64(bitPattern: attributes.rdev).databaseValue,
            attributes.mtime.nanoseconds.databaseValue, attributes.ctime.nanoseconds.databaseValue,
            attributes.birthTime.nanoseconds.databaseValue, node.accessTime.nanoseconds.databaseValue,
            extended.isEmpty ? .null : AttributesCodec.encode(extended).sql, node.target?.sql ?? .null,
            node.links.databaseValue, node.size.databaseValue, node.allocatedBytes.databaseValue,
            node.seq.value.databaseValue, node.attributesSeq.value.databaseValue, node.contentSeq.value.databaseValue,
            flags(of: node).rawValue.databaseValue,
            node.baseAttributes.map { AttributesCodec.encode($0).sql } ?? .null, node.change.databaseValue,
            node.dirtySince.map { $0.nanoseconds.databaseValue } ?? .null,
            node.contentChangedAt.nanoseconds.databaseValue, node.contentChange.databaseValue,
        ]
    }

    private static let insertSQL =
        "INSERT INTO nodes (\(columns)) VALUES (\(Array(repeating: "?", count: 25).joined(separator: ", ")))"
    private static let updateSQL = """
        UPDATE nodes SET (\(columns)) = (\((1...25).map { "?\($0)" }.joined(separator: ", "))) WHERE number = ?1
        """

    /// Adds a node under the next number.
    func insert(_ node: LocalNode) throws -> LocalNode {
        var values = Self.values(of: node)
        if node.number.rawValue == 0 { values[0] = .null }
        try execute(Self.insertSQL, values)
        var inserted = node
        inserted.number = InodeNumber(lastRowID)
        remember(inserted)
        return inserted
    }

    func save(_ node: LocalNode) throws {
        try execute(Self.updateSQL, Self.values(of: node))
        remember(node)
    }

    /// Drops the row with all that belongs to it. Entries are the caller's affair.
    func drop(_ node: LocalNode) throws {
        try dropContent(of: node.number)
        try execute("DELETE FROM nodes WHERE number = ?", [node.number.sql.databaseValue])
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
