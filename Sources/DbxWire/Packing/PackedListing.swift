import DbxModel

/// A page of a listing in few bytes, for who names `mediaType` in `Accept` (docs/PROTOCOL.md, Packed listings). JSON takes
/// both sides longer than all else that a listing needs (docs/decisions/0030).
package enum PackedListing {
    /// Another layout has another number.
    package static let mediaType = "application/vnd.dbxfs.listing-1"

    /// The bytes are no packed listing.
    package struct Malformed: Error {}

    /// In the order of their numbers, which never change.
    static let kinds: [NodeKind] = [.file, .directory, .symlink, .fifo, .socket, .characterDevice, .blockDevice]

    /// Which of a node's rare fields follow.
    struct Fields: OptionSet {
        let rawValue: UInt64

        static let uid = Fields(rawValue: 1)
        static let gid = Fields(rawValue: 2)
        static let rdev = Fields(rawValue: 4)
        static let encoding = Fields(rawValue: 8)
        static let extendedAttributes = Fields(rawValue: 16)
        static let contentHash = Fields(rawValue: 32)
        static let target = Fields(rawValue: 64)
        static let all: Fields = [.uid, .gid, .rdev, .encoding, .extendedAttributes, .contentHash, .target]
    }

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
        private var ids = Numbered<Pair>()
        private var blocks = Numbered<BlockID>()
        private var places: [NodeID: Int] = [:]
        private var lastName: [UInt8] = []

        private struct Pair: Hashable {
            var high: UInt64
            var low: UInt64

            init<Kind>(_ id: Identifier<Kind>) { (high, low) = (id.high, id.low) }
        }

        init(numbering page: ListingPage) {
            seq = page.seq
            out.reserve(page.entries.count * 96 + page.blocks.count * 160)
            if page.segments.isEmpty { return }
            for (index, node) in page.nodes.enumerated() where places[node.id] == nil { places[node.id] = index }
        }

        mutating func add(_ entry: EntryRow, _ node: NodeRow) {
            let name = entry.name.bytes
            let shared = zip(name, lastName).prefix { $0 == $1 }.count
            lastName = name
            out.number(UInt64(shared))
            out.bytes(name[shared...])
            age(of: entry.seq)
            reference(entry.commit)
            out.id(node.id)
            age(of: node.seq)
            reference(node.commit)
            age(of: node.attributesSeq)
            age(of: node.contentSeq)
            out.number(UInt64(PackedListing.kinds.firstIndex(of: node.kind) ?? 0))
            out.signed(node.size)
            add(node.attributes, beside: node)
        }

        private mutating func add(_ attributes: NodeAttributes, beside node: NodeRow) {
            out.number(UInt64(attributes.mode))
            out.fixed(UInt64(bitPattern: attributes.mtime.nanoseconds))
            out.signed(attributes.ctime.nanoseconds &- attributes.mtime.nanoseconds)
            out.signed(attributes.birthTime.nanoseconds &- attributes.mtime.nanoseconds)
            out.number(PackedListing.fields(of: node).rawValue)
            if let uid = attributes.uid { out.number(UInt64(uid)) }
            if let gid = attributes.gid { out.number(UInt64(gid)) }
            if attributes.rdev != 0 { out.number(attributes.rdev) }
            if node.encoding != 0 { out.signed(node.encoding) }
            if !attributes.extendedAttributes.isEmpty {
                out.number(UInt64(attributes.extendedAttributes.count))
                for attribute in attributes.extendedAttributes {
                    out.bytes(attribute.name[...])
                    out.bytes(attribute.value[...])
                }
            }
            if let hash = node.contentHash { out.bytes(hash[...]) }
            if let target = node.target { out.bytes(target[...]) }
        }

        /// False where one is of a node that the page does not have.
        mutating func add(_ segments: [SegmentRow]) -> Bool {
            out.number(UInt64(segments.count))
            for segment in segments {
                guard let place = places[segment.node] else { return false }
                out.number(UInt64(place))
                out.signed(segment.index)
                age(of: segment.seq)
                out.number(UInt64(segment.extents.count))
                for extent in segment.extents {
                    out.signed(extent.offset)
                    out.signed(extent.length)
                    out.number(blocks.number(of: extent.block))
                    out.signed(extent.blockOffset)
                }
            }
            return true
        }

        mutating func add(_ rows: [BlockRow]) {
            out.number(UInt64(rows.count))
            for block in rows {
                out.number(blocks.number(of: block.id))
                age(of: block.seq)
                out.bytes(block.wrap.sealed.bytes[...])
                out.number(ids.number(of: Pair(block.wrap.key)))
                out.signed(block.wrap.plainBytes)
                out.signed(block.wrap.storedBytes)
                out.number(block.wrap.base.map { blocks.number(of: $0) + 1 } ?? 0)
            }
        }

        /// Most rows are not much older than the page.
        private mutating func age(of row: Seq) { out.signed(seq.value &- row.value) }

        private mutating func reference(_ commit: CommitID?) {
            out.number(commit.map { ids.number(of: Pair($0)) + 1 } ?? 0)
        }

        func bytes(of page: ListingPage) -> [UInt8] {
            var head = PackedWriter()
            head.fixed(UInt64(bitPattern: page.seq.value))
            head.bytes(Array(page.cursor.utf8)[...])
            head.number(page.next == nil ? 0 : 1)
            if let next = page.next { head.bytes(Array(next.utf8)[...]) }
            head.number(UInt64(ids.all.count))
            for id in ids.all {
                head.fixed(id.high)
                head.fixed(id.low)
            }
            head.number(UInt64(blocks.all.count))
            for block in blocks.all { head.raw(block.bytes) }
            head.number(UInt64(page.entries.count))
            if let parent = page.entries.first?.parent { head.id(parent) }
            return head.all + out.all
        }
    }

    private static func fields(of node: NodeRow) -> Fields {
        var fields: Fields = []
        if node.attributes.uid != nil { fields.insert(.uid) }
        if node.attributes.gid != nil { fields.insert(.gid) }
        if node.attributes.rdev != 0 { fields.insert(.rdev) }
        if node.encoding != 0 { fields.insert(.encoding) }
        if !node.attributes.extendedAttributes.isEmpty { fields.insert(.extendedAttributes) }
        if node.contentHash != nil { fields.insert(.contentHash) }
        if node.target != nil { fields.insert(.target) }
        return fields
    }
}
