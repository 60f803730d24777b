import DbxLocalStore
import DbxModel
import Synchronization

/// Where the bytes of one read come from: made under the store's lock, followed without it.
struct ReadPlan {
    struct Piece {
        /// Nil for a hole.
        var place: SegmentLocation?
        var length: Int
        /// What of the cache lies there.
        var cached: CacheItem?
    }

    /// In file order, without gaps; together `count` bytes.
    var pieces: [Piece] = []
    /// Fewer than asked for at the end of the file.
    var count = 0
    /// What has to be fetched first, and no more of each block than that.
    var missing: [BlockPart] = []
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
            if let cached = store.cached(block), offset + extent.length <= cached.length {
                add(cached, at: offset, length)
            } else {
                addFrames(of: block, offset..<offset + extent.length, store: store)
            }
        }
    }

    private mutating func add(_ cached: CachedBlock, at offset: Int64, _ length: Int) {
        if !cached.isVerified, !unverified.contains(where: { $0.item == cached.item }) { unverified.append(cached) }
        pieces.append(Piece(place: cached.location.advanced(by: offset), length: length, cached: cached.item))
    }

    /// Of a block that is not here as a whole.
    private mutating func addFrames(of block: BlockNumber, _ range: Range<Int64>, store: LocalStore) {
        var absent: [Int] = []
        for frame in CachedBlock.frames(holding: range) {
            let start = Int64(frame * CachedBlock.frameBytes)
            let part = CachedBlock.range(ofFrame: frame, bytes: range.upperBound).clamped(to: range)
            if let cached = store.cached(.frame(frame, of: block)), part.upperBound - start <= cached.length {
                add(cached, at: part.lowerBound - start, part.count)
            } else {
                absent.append(frame)
                missingBytes += Int64(part.count)
            }
        }
        guard let first = absent.first, let last = absent.last else { return }
        let part = BlockPart(block, frames: first..<last + 1)
        if !missing.contains(part) { missing.append(part) }
    }

    /// The same blocks as a whole.
    var missingBlocks: [BlockPart] {
        var seen: Set<BlockNumber> = []
        return missing.compactMap { seen.insert($0.block).inserted ? BlockPart($0.block) : nil }
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
