import DbxModel

extension PackedListing {
    package static func decode(_ bytes: [UInt8]) throws(MalformedPacking) -> ListingPage {
        var reader = Reader(bytes)
        return try reader.page()
    }

    /// A page as it is read.
    private struct Reader {
        private var input: PackedReader
        private var seq = Seq.zero
        private var ids: [PackedID] = []
        private var blocks: [BlockID] = []

        init(_ bytes: [UInt8]) { input = PackedReader(bytes) }

        mutating func page() throws(MalformedPacking) -> ListingPage {
            seq = Seq(Int64(bitPattern: try input.fixed()))
            let cursor = try input.text()
            let next = try input.flag() ? try input.text() : nil
            var page = ListingPage(entries: [], nodes: [], next: next, seq: seq, cursor: cursor)
            ids = try input.ids()
            blocks = try input.blockIDs()
            try readEntries(into: &page)
            for _ in 0..<(try input.count(ofAtLeast: 4)) { page.segments.append(try segment(of: page.nodes)) }
            for _ in 0..<(try input.count(ofAtLeast: 7)) { page.blocks.append(try block()) }
            guard input.isAtEnd else { throw MalformedPacking() }
            return page
        }

        private mutating func readEntries(into page: inout ListingPage) throws(MalformedPacking) {
            let count = try input.count(ofAtLeast: 38)
            if count == 0 { return }
            page.entries.reserveCapacity(count)
            page.nodes.reserveCapacity(count)
            let parent: NodeID = try input.id()
            for _ in 0..<count {
                let name = try input.name(after: page.entries.last?.name)
                let (seq, commit) = (try age(), try commit())
                let node = try node()
                page.entries.append(EntryRow(parent: parent, name: name, node: node.id, seq: seq, commit: commit))
                page.nodes.append(node)
            }
        }

        private mutating func node() throws(MalformedPacking) -> NodeRow {
            let id: NodeID = try input.id()
            let (seq, commit, attributesSeq, contentSeq) = (try age(), try commit(), try age(), try age())
            let kind = try input.one(of: NodeKind.packed)
            let size = try input.signed()
            let (attributes, fields) = try input.attributes()
            let encoding = fields.contains(.encoding) ? try input.signed() : 0
            let hash = fields.contains(.contentHash) ? Array(try input.bytes()) : nil
            let target = fields.contains(.target) ? Array(try input.bytes()) : nil
            return NodeRow(
                id: id, seq: seq, commit: commit, kind: kind, attributes: attributes, attributesSeq: attributesSeq,
                contentSeq: contentSeq, encoding: encoding, size: size, contentHash: hash, target: target)
        }

        private mutating func segment(of nodes: [NodeRow]) throws(MalformedPacking) -> SegmentRow {
            let node = try input.one(of: nodes).id
            let index = try input.signed()
            let seq = try age()
            return SegmentRow(node: node, index: index, seq: seq, extents: try input.extents(blocks))
        }

        private mutating func block() throws(MalformedPacking) -> BlockRow {
            let (id, seq) = (try input.one(of: blocks), try age())
            return BlockRow(id: id, seq: seq, wrap: try input.wrap(blocks, ids))
        }

        private mutating func age() throws(MalformedPacking) -> Seq { Seq(seq.value &- (try input.signed())) }

        private mutating func commit() throws(MalformedPacking) -> CommitID? {
            try input.oneOrNone(of: ids)?.id()
        }
    }
}
