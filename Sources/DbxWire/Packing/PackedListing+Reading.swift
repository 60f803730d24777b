import DbxModel

extension PackedListing {
    package static func decode(_ bytes: [UInt8]) throws(Malformed) -> ListingPage {
        var reader = Reader(bytes)
        return try reader.page()
    }

    /// A page as it is read.
    private struct Reader {
        private var input: PackedReader
        private var seq = Seq.zero
        private var ids: [(high: UInt64, low: UInt64)] = []
        private var blocks: [BlockID] = []
        private var lastName: [UInt8] = []

        init(_ bytes: [UInt8]) { input = PackedReader(bytes) }

        mutating func page() throws(Malformed) -> ListingPage {
            seq = Seq(Int64(bitPattern: try input.fixed()))
            let cursor = try input.text()
            let next = try input.number() == 0 ? nil : try input.text()
            var page = ListingPage(entries: [], nodes: [], next: next, seq: seq, cursor: cursor)
            for _ in 0..<(try input.count(ofAtLeast: 16)) { ids.append((try input.fixed(), try input.fixed())) }
            for _ in 0..<(try input.count(ofAtLeast: 32)) {
                guard let id = BlockID(bytes: try input.raw(32)) else { throw Malformed() }
                blocks.append(id)
            }
            try readEntries(into: &page)
            for _ in 0..<(try input.count(ofAtLeast: 4)) { page.segments.append(try segment(of: page.nodes)) }
            for _ in 0..<(try input.count(ofAtLeast: 7)) { page.blocks.append(try block()) }
            guard input.isAtEnd else { throw Malformed() }
            return page
        }

        private mutating func readEntries(into page: inout ListingPage) throws(Malformed) {
            let count = try input.count(ofAtLeast: 38)
            if count == 0 { return }
            page.entries.reserveCapacity(count)
            page.nodes.reserveCapacity(count)
            let parent: NodeID = try input.id()
            for _ in 0..<count {
                let shared = try input.number()
                guard shared <= UInt64(lastName.count) else { throw Malformed() }
                lastName = try Array(lastName[..<Int(shared)] + input.bytes())
                guard let name = Name(lastName) else { throw Malformed() }
                let (seq, commit) = (try age(), try commit())
                let node = try node()
                page.entries.append(EntryRow(parent: parent, name: name, node: node.id, seq: seq, commit: commit))
                page.nodes.append(node)
            }
        }

        private mutating func node() throws(Malformed) -> NodeRow {
            let id: NodeID = try input.id()
            let (seq, commit, attributesSeq, contentSeq) = (try age(), try commit(), try age(), try age())
            let kind = try input.one(of: PackedListing.kinds)
            let size = try input.signed()
            var attributes = try attributes()
            let fields = Fields(rawValue: try input.number())
            guard fields.isSubset(of: .all) else { throw Malformed() }
            if fields.contains(.uid) { attributes.uid = try input.narrow() }
            if fields.contains(.gid) { attributes.gid = try input.narrow() }
            if fields.contains(.rdev) { attributes.rdev = try input.number() }
            let encoding = fields.contains(.encoding) ? try input.signed() : 0
            if fields.contains(.extendedAttributes) {
                for _ in 0..<(try input.count(ofAtLeast: 2)) {
                    attributes.extendedAttributes.append(
                        ExtendedAttribute(name: Array(try input.bytes()), value: Array(try input.bytes())))
                }
            }
            let hash = fields.contains(.contentHash) ? Array(try input.bytes()) : nil
            let target = fields.contains(.target) ? Array(try input.bytes()) : nil
            return NodeRow(
                id: id, seq: seq, commit: commit, kind: kind, attributes: attributes, attributesSeq: attributesSeq,
                contentSeq: contentSeq, encoding: encoding, size: size, contentHash: hash, target: target)
        }

        private mutating func attributes() throws(Malformed) -> NodeAttributes {
            let mode: UInt16 = try input.narrow()
            let mtime = Int64(bitPattern: try input.fixed())
            let (ctime, birth) = (mtime &+ (try input.signed()), mtime &+ (try input.signed()))
            return NodeAttributes(
                mode: mode, mtime: Timestamp(nanoseconds: mtime), ctime: Timestamp(nanoseconds: ctime),
                birthTime: Timestamp(nanoseconds: birth))
        }

        private mutating func segment(of nodes: [NodeRow]) throws(Malformed) -> SegmentRow {
            let node = try input.one(of: nodes).id
            let index = try input.signed()
            var row = SegmentRow(node: node, index: index, seq: try age(), extents: [])
            for _ in 0..<(try input.count(ofAtLeast: 4)) {
                let (offset, length) = (try input.signed(), try input.signed())
                let block = try input.one(of: blocks)
                row.extents.append(
                    Extent(offset: offset, length: length, block: block, blockOffset: try input.signed()))
            }
            return row
        }

        private mutating func block() throws(Malformed) -> BlockRow {
            let (id, seq) = (try input.one(of: blocks), try age())
            let sealed = Array(try input.bytes())
            let key = try input.one(of: ids)
            let (plain, stored) = (try input.signed(), try input.signed())
            let wrap = BlockWrap(
                sealed: Base64(sealed), key: KeyID(high: key.high, low: key.low), plainBytes: plain,
                storedBytes: stored, base: try input.oneOrNone(of: blocks))
            return BlockRow(id: id, seq: seq, wrap: wrap)
        }

        private mutating func age() throws(Malformed) -> Seq { Seq(seq.value &- (try input.signed())) }

        private mutating func commit() throws(Malformed) -> CommitID? {
            try input.oneOrNone(of: ids).map { CommitID(high: $0.high, low: $0.low) }
        }
    }
}
