import DbxModel
import DbxServerStores
import DbxWire

/// Stored records as the protocol shows them.
extension NodeRow {
    init(_ record: NodeRecord) {
        self.init(
            id: record.id, seq: record.seq, commit: record.commit, deleted: record.deleted, kind: record.kind,
            attributes: record.attributes, attributesSeq: record.attributesSeq, contentSeq: record.contentSeq,
            encoding: record.encoding, size: record.size, contentHash: record.contentHash, target: record.target)
    }
}

extension EntryRow {
    init(_ record: EntryRecord) {
        self.init(
            parent: record.parent, name: record.name, node: record.node, seq: record.seq, commit: record.commit,
            leftUnseen: record.leftUnseen)
    }
}

extension SegmentRow {
    init(_ record: SegmentRecord) {
        self.init(node: record.node, index: record.index, seq: record.from, extents: record.extents)
    }
}

extension BlockRow {
    init(_ record: NamespaceBlockRecord) {
        self.init(
            id: record.block, seq: record.seq,
            wrap: BlockWrap(
                sealed: Base64(record.sealed), key: record.key, plainBytes: record.plainBytes,
                storedBytes: record.storedBytes, base: record.base))
    }
}

extension RevisionRow {
    init(_ record: RevisionRecord, deviceName: String?) {
        self.init(
            seq: record.seq, size: record.size, mtime: record.mtime, committedAt: record.committedAt,
            device: record.device, deviceName: deviceName ?? "", contentHash: record.contentHash.map(Base64.init))
    }
}

extension Quota {
    init(_ record: NamespaceRecord) { self.init(usedBytes: record.usedBytes, limitBytes: record.limitBytes) }
}

extension ChangeNotice {
    init(_ record: HeadRecord) { self.init(namespace: record.namespace, seq: record.seq) }
}
