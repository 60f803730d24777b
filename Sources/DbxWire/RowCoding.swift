package import DbxModel

extension NodeRow: Codable {
    private enum Key: String, CodingKey {
        case id, seq, commit, deleted, kind, attributesSeq, contentSeq, encoding, size, contentHash, target, target64
    }

    package init(from decoder: any Decoder) throws {
        let row = try decoder.container(keyedBy: Key.self)
        let kind = try row.decode(NodeKind.self, forKey: .kind)
        self.init(
            id: try row.decode(NodeID.self, forKey: .id),
            seq: try row.decode(Seq.self, forKey: .seq),
            commit: try row.decodeIfPresent(CommitID.self, forKey: .commit),
            deleted: try row.decodeIfPresent(Bool.self, forKey: .deleted) ?? false,
            kind: kind,
            attributes: try NodeAttributes(from: decoder),
            attributesSeq: try row.decode(Seq.self, forKey: .attributesSeq),
            contentSeq: try row.decode(Seq.self, forKey: .contentSeq),
            encoding: try row.decodeIfPresent(Int64.self, forKey: .encoding) ?? 0,
            size: try row.decodeIfPresent(Int64.self, forKey: .size) ?? 0,
            contentHash: try row.decodeIfPresent(Base64.self, forKey: .contentHash)?.bytes,
            target: kind == .symlink ? try row.decodeBytes(asText: .target, orBase64: .target64) : nil)
    }

    package func encode(to encoder: any Encoder) throws {
        var row = encoder.container(keyedBy: Key.self)
        try row.encode(id, forKey: .id)
        try row.encode(seq, forKey: .seq)
        try row.encodeIfPresent(commit, forKey: .commit)
        if deleted { try row.encode(true, forKey: .deleted) }
        try row.encode(kind, forKey: .kind)
        try attributes.encode(to: encoder)
        try row.encode(attributesSeq, forKey: .attributesSeq)
        try row.encode(contentSeq, forKey: .contentSeq)
        if encoding != 0 { try row.encode(encoding, forKey: .encoding) }
        if size != 0 { try row.encode(size, forKey: .size) }
        try row.encodeIfPresent(contentHash.map(Base64.init), forKey: .contentHash)
        if kind == .symlink { try row.encode(target ?? [], asText: .target, orBase64: .target64) }
    }
}

extension NodeAttributes: Codable {
    private enum Key: String, CodingKey {
        case mode, uid, gid, mtime, ctime, birthTime, rdev, extendedAttributes
    }

    package init(from decoder: any Decoder) throws {
        let row = try decoder.container(keyedBy: Key.self)
        self.init(
            mode: try row.decode(UInt16.self, forKey: .mode),
            uid: try row.decodeIfPresent(UInt32.self, forKey: .uid),
            gid: try row.decodeIfPresent(UInt32.self, forKey: .gid),
            mtime: try row.decode(Timestamp.self, forKey: .mtime),
            ctime: try row.decode(Timestamp.self, forKey: .ctime),
            birthTime: try row.decode(Timestamp.self, forKey: .birthTime),
            rdev: try row.decodeIfPresent(UInt64.self, forKey: .rdev) ?? 0,
            extendedAttributes: try row.decodeIfPresent([ExtendedAttribute].self, forKey: .extendedAttributes) ?? [])
    }

    package func encode(to encoder: any Encoder) throws {
        var row = encoder.container(keyedBy: Key.self)
        try row.encode(mode, forKey: .mode)
        try row.encodeIfPresent(uid, forKey: .uid)
        try row.encodeIfPresent(gid, forKey: .gid)
        try row.encode(mtime, forKey: .mtime)
        try row.encode(ctime, forKey: .ctime)
        try row.encode(birthTime, forKey: .birthTime)
        if rdev != 0 { try row.encode(rdev, forKey: .rdev) }
        if !extendedAttributes.isEmpty { try row.encode(extendedAttributes, forKey: .extendedAttributes) }
    }
}

extension ExtendedAttribute: Codable {
    private enum Key: String, CodingKey { case name, name64, value64 }

    package init(from decoder: any Decoder) throws {
        let row = try decoder.container(keyedBy: Key.self)
        self.init(
            name: try row.decodeBytes(asText: .name, orBase64: .name64),
            value: try row.decode(Base64.self, forKey: .value64).bytes)
    }

    package func encode(to encoder: any Encoder) throws {
        var row = encoder.container(keyedBy: Key.self)
        try row.encode(name, asText: .name, orBase64: .name64)
        try row.encode(Base64(value), forKey: .value64)
    }
}

extension EntryRow: Codable {
    private enum Key: String, CodingKey { case parent, name, name64, node, seq, commit, leftUnseen }

    package init(from decoder: any Decoder) throws {
        let row = try decoder.container(keyedBy: Key.self)
        self.init(
            parent: try row.decode(NodeID.self, forKey: .parent),
            name: try row.decodeName(asText: .name, orBase64: .name64),
            node: try row.decodeIfPresent(NodeID.self, forKey: .node),
            seq: try row.decode(Seq.self, forKey: .seq),
            commit: try row.decodeIfPresent(CommitID.self, forKey: .commit),
            leftUnseen: try row.decodeIfPresent(Bool.self, forKey: .leftUnseen) ?? false)
    }

    package func encode(to encoder: any Encoder) throws {
        var row = encoder.container(keyedBy: Key.self)
        try row.encode(parent, forKey: .parent)
        try row.encode(name.bytes, asText: .name, orBase64: .name64)
        try row.encodeIfPresent(node, forKey: .node)
        try row.encode(seq, forKey: .seq)
        try row.encodeIfPresent(commit, forKey: .commit)
        if leftUnseen { try row.encode(true, forKey: .leftUnseen) }
    }
}
