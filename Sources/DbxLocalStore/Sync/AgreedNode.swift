package import DbxModel

/// A node as the server states it.
package struct AgreedNode: Hashable, Sendable {
    package var id: NodeID
    package var kind: NodeKind
    package var attributes: NodeAttributes
    package var seq: Seq
    package var attributesSeq: Seq
    package var contentSeq: Seq
    package var size: Int64
    package var target: [UInt8]?

    package init(
        id: NodeID, kind: NodeKind, attributes: NodeAttributes, seq: Seq, attributesSeq: Seq, contentSeq: Seq,
        size: Int64, target: [UInt8]?
    ) {
        self.id = id
        self.kind = kind
        self.attributes = attributes
        self.seq = seq
        self.attributesSeq = attributesSeq
        self.contentSeq = contentSeq
        self.size = size
        self.target = target
    }
}
