/// What the cache holds as one: the whole content of a block, or one frame of a block of which only some were wanted.
/// A block's frames go when the whole of it comes.
package struct CacheItem: Hashable, Sendable, CustomStringConvertible {
    /// As `cache.block` has it: the block's number, or, below zero, the complement of number × 64 + frame.
    let rawValue: Int64

    private static let frameBits: Int64 = 6
    /// A block has no more frames than this.
    static let maximumFrames = 1 << Int(frameBits)

    init(rawValue: Int64) { self.rawValue = rawValue }

    package static func whole(_ block: BlockNumber) -> CacheItem { CacheItem(rawValue: block.rawValue) }

    /// `frame` is below `maximumFrames`.
    package static func frame(_ frame: Int, of block: BlockNumber) -> CacheItem {
        CacheItem(rawValue: ~(block.rawValue << frameBits | Int64(frame)))
    }

    package var block: BlockNumber { BlockNumber(rawValue: rawValue < 0 ? ~rawValue >> Self.frameBits : rawValue) }

    /// Nil for a whole block.
    package var frame: Int? { rawValue < 0 ? Int(~rawValue & (1 << Self.frameBits - 1)) : nil }

    package var description: String {
        frame.map { "frame \($0) of block \(block.rawValue)" } ?? "block \(block.rawValue)"
    }
}

extension CachedBlock {
    /// The content of a block of `bytes` that a frame holds; empty behind its end.
    package static func range(ofFrame frame: Int, bytes: Int64) -> Range<Int64> {
        min(Int64(frame * frameBytes), bytes)..<min(Int64((frame + 1) * frameBytes), bytes)
    }

    /// The frames that hold some of the content, which is not empty.
    package static func frames(holding range: Range<Int64>) -> Range<Int> {
        Int(range.lowerBound / Int64(frameBytes))..<Int((range.upperBound - 1) / Int64(frameBytes)) + 1
    }
}
