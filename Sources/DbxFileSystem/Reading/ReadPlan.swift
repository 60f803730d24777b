import DbxLocalStore
import DbxModel
import Synchronization

/// Where the bytes of one read come from: made under the store's lock, followed without it.
struct ReadPlan {
    struct Piece {
        /// Nil for a hole.
        var place: SegmentLocation?
        var length: Int
    }

    /// In file order, without gaps; together `count` bytes.
    var pieces: [Piece] = []
    /// Fewer than asked for at the end of the file.
    var count = 0
    /// Blocks that have to be fetched first.
    var missing: [BlockNumber] = []
    /// How much of the read is in them.
    var missingBytes: Int64 = 0
    /// Cached blocks whose bytes have not been compared with their checksums since the start.
    var unverified: [CachedBlock] = []
    /// Pages of staging that have not been compared with their checksums since the start.
    var doubtful: [SegmentPage] = []
    /// What was in a place at this generation is there as long as it stands.
    var generation: UInt64 = 0
    var size: Int64 = 0
    /// The new access time, where the old one is due for a change.
    var accessTime: Timestamp?

    init(_ node: LocalNode, offset: Int64, count: Int, store: LocalStore, now: Timestamp) throws {
        size = node.size
        generation = store.reuseGeneration.load(ordering: .acquiring)
        guard offset < node.size, count > 0 else { return }
        let end = min(offset.addingReportingOverflow(Int64(count)).partialValue, node.size)
        self.count = Int(end - offset)
        accessTime = node.isAccessTimeDue(now) ? now : nil
        var position = offset
        for extent in try store.content(node.number, offset..<end) {
            addHole(extent.offset - position)
            add(extent, store: store)
            position = extent.end
        }
        addHole(end - position)
    }

    private mutating func addHole(_ length: Int64) {
        if length > 0 { pieces.append(Piece(place: nil, length: Int(length))) }
    }

    private mutating func add(_ extent: LocalExtent, store: LocalStore) {
        let length = Int(extent.length)
        switch extent.source {
        case .staging(let location, _):
            doubtful += store.segments.sums.doubtfulPages(location, extent.length)
            pieces.append(Piece(place: location, length: length))
        case .block(let block, let offset):
            guard let cached = store.cached(block), offset + extent.length <= cached.length else {
                if !missing.contains(block) { missing.append(block) }
                missingBytes += extent.length
                return
            }
            if !cached.isVerified, !unverified.contains(where: { $0.block == block }) { unverified.append(cached) }
            pieces.append(Piece(place: cached.location.advanced(by: offset), length: length))
        }
    }

    /// Whether the bytes can be read without the network and without checking them first.
    var isLocal: Bool { missing.isEmpty && unverified.isEmpty && doubtful.isEmpty }
}

extension LocalNode {
    /// As with the mount option relatime: once after each change, and once a day.
    func isAccessTimeDue(_ now: Timestamp) -> Bool {
        accessTime <= attributes.mtime || accessTime <= attributes.ctime
            || now.nanoseconds &- accessTime.nanoseconds > 86_400_000_000_000
    }
}
