import DbxModel

/// A commit in few bytes (docs/PROTOCOL.md, Packed bodies), which are written and read in one pass: as JSON a commit of many
/// small files takes client and server longer than what it is for (docs/decisions/0037).
///
/// Its first byte is 0 or 1, and that of JSON is neither.
package enum PackedCommit {
    /// Another layout has another number.
    package static let mediaType = "application/vnd.dbxfs.commit-1"

    /// Everything but the cursor, which stands before it.
    package static func encodeWithoutCursor(_ commit: CommitRequest) -> [UInt8] {
        var rows = Rows()
        return rows.bytes(of: commit)
    }

    package static func body(_ rest: [UInt8], cursor: String?) -> [UInt8] {
        var head = PackedWriter()
        head.flag(cursor != nil)
        if let cursor { head.bytes(Array(cursor.utf8)[...]) }
        return head.all + rest
    }

    package static func encode(_ commit: CommitRequest) -> [UInt8] {
        body(encodeWithoutCursor(commit), cursor: commit.cursor)
    }

    package static func isPacked(_ body: [UInt8]) -> Bool { body.first.map { $0 <= 1 } ?? false }

    /// Rows as they are written, with the ids that many of them share.
    private struct Rows {
        private var out = PackedWriter()
        private var ids = NumberedIDs()
        private var blocks = Numbered<BlockID>()
        private var places: [NodeID: Int] = [:]

        mutating func bytes(of commit: CommitRequest) -> [UInt8] {
            let bodies = commit.blocks.reduce(0) { $0 + ($1.body?.bytes.count ?? 0) }
            out.reserve(commit.nodes.count * 80 + commit.entries.count * 40 + commit.blocks.count * 120 + bodies)
            out.number(UInt64(commit.nodes.count))
            for (place, node) in commit.nodes.enumerated() {
                places[node.id] = place
                add(node)
            }
            add(commit.entries)
            add(commit.directoryTimes)
            add(commit.blocks)
            var head = PackedWriter()
            head.id(commit.id)
            ids.write(to: &head)
            blocks.write(to: &head)
            return head.all + out.all
        }

        private mutating func add(_ node: NodeChange) {
            out.id(node.id)
            out.number(node.kind.packedNumber)
            out.number((node.attributes == nil ? 0 : 1) + (node.content == nil ? 0 : 2))
            if let change = node.attributes {
                out.signed(change.base.value)
                out.attributes(change.state, with: change.target == nil ? [] : .target)
                if let target = change.target { out.bytes(target.bytes[...]) }
            }
            if let content = node.content { add(content, beside: node.attributes?.state) }
        }

        private mutating func add(_ content: ContentChange, beside attributes: NodeAttributes?) {
            out.signed(content.base.value)
            out.signed(content.size)
            out.signed(content.mtime.nanoseconds &- (attributes?.mtime.nanoseconds ?? 0))
            out.signed(content.ctime.nanoseconds &- content.mtime.nanoseconds)
            out.flag(content.contentHash != nil)
            if let hash = content.contentHash { out.bytes(hash.bytes[...]) }
            out.number(UInt64(content.segments.count))
            for segment in content.segments {
                out.signed(segment.index)
                out.extents(segment.extents, &blocks)
                out.flag(segment.base != nil)
                if let base = segment.base { add(base) }
            }
        }

        private mutating func add(_ base: SegmentBase) {
            out.bytes(base.digest.bytes[...])
            out.number(UInt64(base.holes.count))
            for hole in base.holes {
                out.signed(hole.offset)
                out.signed(hole.length)
            }
            out.flag(base.moves != nil)
            guard let moves = base.moves else { return }
            out.number(moves.node.map { ids.number(of: $0) + 1 } ?? 0)
            out.number(UInt64(moves.ranges.count))
            for range in moves.ranges {
                out.signed(range.offset)
                out.signed(range.length)
                out.signed(range.from)
            }
        }

        private mutating func add(_ entries: [EntryChange]) {
            out.number(UInt64(entries.count))
            var last: Name?
            for entry in entries {
                out.number(ids.number(of: entry.parent))
                out.name(entry.name, after: last)
                last = entry.name
                out.signed(entry.base.value)
                add(entry.node)
                out.number((entry.lastContent == nil ? 0 : 1) + (entry.hasOtherName ? 2 : 0))
                if let content = entry.lastContent { out.signed(content.value) }
            }
        }

        /// 0: none; 1: its id follows; else its place among the commit's nodes, and 2.
        private mutating func add(_ node: NodeID?) {
            guard let node else { return out.number(0) }
            if let place = places[node] { return out.number(UInt64(place) + 2) }
            out.number(1)
            out.id(node)
        }

        private mutating func add(_ times: [DirectoryTime]) {
            out.number(UInt64(times.count))
            for time in times {
                out.number(ids.number(of: time.node))
                out.fixed(UInt64(bitPattern: time.mtime.nanoseconds))
                out.flag(time.explicit)
            }
        }

        private mutating func add(_ committed: [CommittedBlock]) {
            out.number(UInt64(committed.count))
            for block in committed {
                out.number(blocks.number(of: block.id))
                out.wrap(block.wrap, &blocks, &ids)
                out.flag(block.body != nil)
                if let body = block.body { out.bytes(body.bytes[...]) }
            }
        }
    }
}
