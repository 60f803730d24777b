import DbxModel

extension PackedCommit {
    package static func decode(_ bytes: [UInt8]) throws(MalformedPacking) -> CommitRequest {
        var reader = Reader(bytes)
        return try reader.commit()
    }

    /// More than the server takes, so that it can say so.
    private static let mostRows = 2 * ContentLimits.maximumCommitRows
    /// Rows, their extents and whatever else is counted: no client sends as many.
    private static let mostThings: UInt64 = 1_000_000

    /// A commit as it is read.
    private struct Reader {
        private var input: PackedReader
        private var ids: [PackedID] = []
        private var blocks: [BlockID] = []

        init(_ bytes: [UInt8]) { input = PackedReader(bytes, things: PackedCommit.mostThings) }

        mutating func commit() throws(MalformedPacking) -> CommitRequest {
            let cursor = try input.flag() ? try input.text() : nil
            var commit = CommitRequest(id: try input.id(), cursor: cursor)
            ids = try input.ids()
            blocks = try input.blockIDs()
            for _ in 0..<(try input.count(ofAtLeast: 18, most: PackedCommit.mostRows)) {
                commit.nodes.append(try node())
            }
            for _ in 0..<(try input.count(ofAtLeast: 7, most: PackedCommit.mostRows)) {
                commit.entries.append(try entry(after: commit.entries.last?.name, of: commit.nodes))
            }
            for _ in 0..<(try input.count(ofAtLeast: 10, most: PackedCommit.mostRows)) {
                let node: NodeID = try input.one(of: ids).id()
                let mtime = Timestamp(nanoseconds: Int64(bitPattern: try input.fixed()))
                commit.directoryTimes.append(DirectoryTime(node: node, mtime: mtime, explicit: try input.flag()))
            }
            for _ in 0..<(try input.count(ofAtLeast: 7, most: PackedCommit.mostRows)) {
                let (id, wrap) = (try input.one(of: blocks), try input.wrap(blocks, ids))
                let body = try input.flag() ? Base64(Array(try input.bytes())) : nil
                commit.blocks.append(CommittedBlock(id: id, wrap: wrap, body: body))
            }
            guard input.isAtEnd else { throw MalformedPacking() }
            return commit
        }

        private mutating func node() throws(MalformedPacking) -> NodeChange {
            let id: NodeID = try input.id()
            let kind = try input.one(of: NodeKind.packed)
            let parts = try input.number()
            guard parts <= 3 else { throw MalformedPacking() }
            let attributes = parts & 1 == 0 ? nil : try attributesChange()
            let content = parts & 2 == 0 ? nil : try contentChange(beside: attributes?.state)
            return NodeChange(id: id, kind: kind, attributes: attributes, content: content)
        }

        private mutating func attributesChange() throws(MalformedPacking) -> AttributesChange {
            let base = Seq(try input.signed())
            let (state, fields) = try input.attributes()
            guard fields.isDisjoint(with: [.encoding, .contentHash]) else { throw MalformedPacking() }
            let target = fields.contains(.target) ? Base64(Array(try input.bytes())) : nil
            return AttributesChange(base: base, state: state, target: target)
        }

        private mutating func contentChange(
            beside attributes: NodeAttributes?
        ) throws(MalformedPacking) -> ContentChange {
            let (base, size) = (Seq(try input.signed()), try input.signed())
            let mtime = (attributes?.mtime.nanoseconds ?? 0) &+ (try input.signed())
            let ctime = mtime &+ (try input.signed())
            let hash = try input.flag() ? Base64(Array(try input.bytes())) : nil
            var content = ContentChange(
                base: base, size: size, mtime: Timestamp(nanoseconds: mtime), ctime: Timestamp(nanoseconds: ctime),
                contentHash: hash, segments: [])
            for _ in 0..<(try input.count(ofAtLeast: 3)) {
                let (index, extents) = (try input.signed(), try input.extents(blocks))
                content.segments.append(
                    SegmentChange(index: index, extents: extents, base: try input.flag() ? try segmentBase() : nil))
            }
            return content
        }

        private mutating func segmentBase() throws(MalformedPacking) -> SegmentBase {
            var base = SegmentBase(digest: Base64(Array(try input.bytes())), holes: [])
            for _ in 0..<(try input.count(ofAtLeast: 2)) {
                base.holes.append(FileRange(offset: try input.signed(), length: try input.signed()))
            }
            guard try input.flag() else { return base }
            var moves = SegmentMoves(node: try input.oneOrNone(of: ids)?.id(), ranges: [])
            for _ in 0..<(try input.count(ofAtLeast: 3)) {
                moves.ranges.append(
                    MovedRange(offset: try input.signed(), length: try input.signed(), from: try input.signed()))
            }
            base.moves = moves
            return base
        }

        private mutating func entry(
            after last: Name?, of nodes: [NodeChange]
        ) throws(MalformedPacking) -> EntryChange {
            let parent: NodeID = try input.one(of: ids).id()
            let (name, base, node) = (try input.name(after: last), Seq(try input.signed()), try node(of: nodes))
            let known = try input.number()
            guard known <= 3 else { throw MalformedPacking() }
            return EntryChange(
                parent: parent, name: name, base: base, node: node,
                lastContent: known & 1 == 0 ? nil : Seq(try input.signed()), hasOtherName: known & 2 != 0)
        }

        private mutating func node(of nodes: [NodeChange]) throws(MalformedPacking) -> NodeID? {
            let number = try input.number()
            if number < 2 { return number == 0 ? nil : try input.id() }
            guard number - 2 < UInt64(nodes.count) else { throw MalformedPacking() }
            return nodes[Int(number - 2)].id
        }
    }
}
