import Crypto
import DbxContent
import DbxModel
import DbxWire

/// What can be said of a commit without looking at the tree: sizes, duplicates, and values that no row may have.
enum CommitShape {
    private static let maximumTargetBytes = 4_095

    static func check(_ request: CommitRequest) throws {
        try checkCounts(request)
        try checkUnique(request.nodes.map(\.id), "node")
        try checkUnique(request.entries.map { EntryKey($0) }, "entry")
        try checkUnique(request.directoryTimes.map(\.node), "directory time")
        try checkUnique(request.blocks.map(\.id), "block")
        for node in request.nodes { try check(node) }
        for entry in request.entries where entry.base < .zero { throw Problem.badRequest("A base is negative.") }
        for block in request.blocks { try check(block) }
    }

    private static func checkCounts(_ request: CommitRequest) throws {
        let segments = request.nodes.reduce(0) { $0 + ($1.content?.segments.count ?? 0) }
        let counts = [
            request.nodes.count, request.entries.count, request.directoryTimes.count, request.blocks.count, segments,
        ]
        guard counts.allSatisfy({ $0 <= ContentLimits.maximumCommitRows }) else {
            throw Problem(
                kind: .payloadTooLarge,
                detail: "A commit has at most \(ContentLimits.maximumCommitRows) rows of each kind: send several.")
        }
    }

    private static func checkUnique(_ keys: [some Hashable], _ what: String) throws {
        guard Set(keys).count == keys.count else { throw Problem.badRequest("The commit names a \(what) twice.") }
    }

    private static func check(_ node: NodeChange) throws {
        guard node.attributes != nil || node.content != nil else {
            throw Problem.badRequest("Node \(node.id) has neither attributes nor content.")
        }
        if let attributes = node.attributes { try check(attributes, of: node) }
        if let content = node.content {
            guard node.kind == .file else { throw Problem.badRequest("Node \(node.id) is no file but has content.") }
            try check(content, of: node.id)
        }
    }

    private static func check(_ change: AttributesChange, of node: NodeChange) throws {
        let state = change.state
        guard change.base >= .zero else { throw Problem.badRequest("A base is negative.") }
        guard state.mode <= 0o7777 else { throw Problem.badRequest("Node \(node.id) has a mode beyond 07777.") }
        let extended = state.extendedAttributes
        guard extended.allSatisfy({ (1...255).contains($0.name.count) && !$0.name.contains(0) }),
            zip(extended, extended.dropFirst()).allSatisfy({ $0.name.precedesBytewise($1.name) }),
            extended.reduce(0, { $0 + $1.name.count + $1.value.count }) <= NodeAttributes.maximumExtendedBytes
        else {
            throw Problem.badRequest(
                "The extended attributes of node \(node.id) are not in order, not valid, or too large.")
        }
        if node.kind == .symlink, change.base == .zero {
            guard let target = change.target?.bytes, (1...maximumTargetBytes).contains(target.count),
                !target.contains(0)
            else { throw Problem.badRequest("The target of symlink \(node.id) is missing or not valid.") }
        }
    }

    private static func check(_ content: ContentChange, of node: NodeID) throws {
        guard content.base >= .zero else { throw Problem.badRequest("A base is negative.") }
        guard (0...ContentLimits.maximumFileBytes).contains(content.size) else {
            throw Problem.badRequest("The size of node \(node) is not possible.")
        }
        if let hash = content.contentHash, hash.bytes.count != 32 {
            throw Problem.badRequest("The content hash of node \(node) has not 32 bytes.")
        }
        let indexes = content.segments.map(\.index)
        guard indexes.allSatisfy({ $0 >= 0 && $0 <= content.maximumSegmentIndex }),
            zip(indexes, indexes.dropFirst()).allSatisfy({ $0 < $1 })
        else { throw Problem.badRequest("The segments of node \(node) are not in order or past any file's end.") }
        for segment in content.segments { try check(segment, size: content.size, of: node) }
    }

    /// Ordered, without overlap, inside the segment and the file.
    private static func check(_ segment: SegmentChange, size: Int64, of node: NodeID) throws {
        let start = segment.index * ContentLimits.segmentBytes
        let end = min(start + ContentLimits.segmentBytes, size)
        var covered = start
        let fits = segment.extents.allSatisfy { extent in
            guard extent.offset >= covered, (1...ContentLimits.maximumBlockBytes).contains(extent.length),
                extent.offset <= end - extent.length,
                (0...ContentLimits.maximumBlockBytes - extent.length).contains(extent.blockOffset)
            else { return false }
            covered = extent.end
            return true
        }
        guard fits, segment.extents.count <= ContentLimits.maximumSegmentExtents else {
            throw Problem.badRequest("The extents of segment \(segment.index) of node \(node) are not valid.")
        }
        if let base = segment.base { try check(base, of: segment, node) }
    }

    private static func check(_ base: SegmentBase, of segment: SegmentChange, _ node: NodeID) throws {
        var covered = segment.index * ContentLimits.segmentBytes
        let end = covered + ContentLimits.segmentBytes
        let fits = base.holes.allSatisfy { hole in
            guard hole.offset >= covered, (1...ContentLimits.segmentBytes).contains(hole.length),
                hole.offset <= end - hole.length
            else { return false }
            covered = hole.offset + hole.length
            return true
        }
        guard fits, base.holes.count <= ContentLimits.maximumSegmentExtents else {
            throw Problem.badRequest("The holes of segment \(segment.index) of node \(node) are not valid.")
        }
        if let moves = base.moves { try check(moves, of: segment, node) }
    }

    /// Ordered and without overlap where they go, from few segments of what a file can have.
    private static func check(_ moves: SegmentMoves, of segment: SegmentChange, _ node: NodeID) throws {
        var covered = segment.index * ContentLimits.segmentBytes
        let end = covered + ContentLimits.segmentBytes
        let fits = moves.ranges.allSatisfy { move in
            guard move.offset >= covered, (1...ContentLimits.segmentBytes).contains(move.length),
                move.offset <= end - move.length,
                (0...ContentLimits.maximumFileBytes - move.length).contains(move.from)
            else { return false }
            covered = move.offset + move.length
            return true
        }
        guard fits, (1...SegmentMoves.maximumRanges).contains(moves.ranges.count),
            moves.segments.count <= SegmentMoves.maximumSegments
        else { throw Problem.badRequest("The moves of segment \(segment.index) of node \(node) are not valid.") }
    }

    private static func check(_ block: CommittedBlock) throws {
        let wrap = block.wrap
        guard (1...ContentLimits.maximumBlockBytes).contains(wrap.plainBytes),
            (1...Uploads.maximumStoredBytes).contains(wrap.storedBytes), (1...256).contains(wrap.sealed.bytes.count)
        else { throw Problem.badRequest("The wrap of block \(block.id) is not valid.") }
        guard let body = block.body?.bytes else { return }
        guard (1...ContentLimits.maximumInlineBytes).contains(body.count) else {
            throw Problem(
                kind: .payloadTooLarge,
                detail: "A block of more than \(ContentLimits.maximumInlineBytes) bytes is uploaded before its commit.")
        }
        guard Array(SHA256.hash(data: body)) == block.id.bytes else {
            throw Problem.badRequest("The SHA-256 of the bytes of block \(block.id) is another one.")
        }
    }
}

extension ContentChange {
    fileprivate var maximumSegmentIndex: Int64 { ContentLimits.maximumFileBytes / ContentLimits.segmentBytes }
}

/// What an entry is known by.
struct EntryKey: Hashable {
    let parent: NodeID
    let name: Name

    init(_ change: EntryChange) { (parent, name) = (change.parent, change.name) }
    init(parent: NodeID, name: Name) { (self.parent, self.name) = (parent, name) }
}
