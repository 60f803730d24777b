import DbxModel

/// A page of a listing in few bytes, for who names `mediaType` in `Accept` (docs/PROTOCOL.md, Packed bodies). JSON takes
/// both sides longer than all else that a listing needs (docs/decisions/0030).
package enum PackedListing {
    /// Another layout has another number.
    package static let mediaType = "application/vnd.dbxfs.listing-2"

    /// Nil for what is no page of one directory with one node for each entry, in order: the packed form has no place for it.
    package static func encode(_ page: ListingPage) -> [UInt8]? {
        guard page.nodes.count == page.entries.count, !page.nodes.contains(where: \.deleted),
            zip(page.entries, page.nodes).allSatisfy({ $0.node == $1.id && $0.parent == page.entries[0].parent })
        else { return nil }
        var rows = Rows(numbering: page)
        for (entry, node) in zip(page.entries, page.nodes) { rows.add(entry, node) }
        guard rows.add(page.segments) else { return nil }
        rows.add(page.blocks)
        return rows.bytes(of: page)
    }

    /// Rows as they are written, with the ids that many of them share.
    private struct Rows {
        private let seq: Seq
        private var out = PackedWriter()
        private var ids = NumberedIDs()
        private var blocks = Numbered<BlockID>()
        private var places: [NodeID: Int] = [:]
        private var lastName: Name?

        init(numbering page: ListingPage) {
            seq = page.seq
            out.reserve(page.entries.count * 96 + page.blocks.count * 160)
            if page.segments.isEmpty { return }
            for (index, node) in page.nodes.enumerated() where places[node.id] == nil { places[node.id] = index }
        }

        mutating func add(_ entry: EntryRow, _ node: NodeRow) {
            out.name(entry.name, after: lastName)
            lastName = entry.name
            age(of: entry.seq)
            reference(entry.commit)
            out.id(node.id)
            age(of: node.seq)
            reference(node.commit)
            age(of: node.attributesSeq)
            age(of: node.contentSeq)
            out.number(node.kind.packedNumber)
            out.signed(node.size)
            out.attributes(node.attributes, with: Self.fields(of: node))
            if node.encoding != 0 { out.signed(node.encoding) }
            if let hash = node.contentHash { out.bytes(hash[...]) }
            if let target = node.target { out.bytes(target[...]) }
        }

        private static func fields(of node: NodeRow) -> PackedFields {
            var fields: PackedFields = []
            if node.encoding != 0 { fields.insert(.encoding) }
            if node.contentHash != nil { fields.insert(.contentHash) }
            if node.target != nil { fields.insert(.target) }
            return fields
        }

        /// False where one is of a node that the page does not have.
        mutating func add(_ segments: [SegmentRow]) -> Bool {
            out.number(UInt64(segments.count))
            for segment in segments {
                guard let place = places[segment.node] else { return false }
                out.number(UInt64(place))
                out.signed(segment.index)
                age(of: segment.seq)
                out.extents(segment.extents, &blocks)
            }
            return true
        }

        mutating func add(_ rows: [BlockRow]) {
            out.number(UInt64(rows.count))
            for block in rows {
                out.number(blocks.number(of: block.id))
                age(of: block.seq)
                out.wrap(block.wrap, &blocks, &ids)
            }
        }

        /// Most rows are not much older than the page.
        private mutating func age(of row: Seq) { out.signed(seq.value &- row.value) }

        private mutating func reference(_ commit: CommitID?) {
            out.number(commit.map { ids.number(of: $0) + 1 } ?? 0)
        }

        func bytes(of page: ListingPage) -> [UInt8] {
            var head = PackedWriter()
            head.fixed(UInt64(bitPattern: page.seq.value))
            head.bytes(Array(page.cursor.utf8)[...])
            head.number(page.next == nil ? 0 : 1)
            if let next = page.next { head.bytes(Array(next.utf8)[...]) }
            ids.write(to: &head)
            blocks.write(to: &head)
            head.number(UInt64(page.entries.count))
            if let parent = page.entries.first?.parent { head.id(parent) }
            return head.all + out.all
        }
    }
}
