/// A stretch of a file's content that stands in one block. Offsets and lengths in bytes; `length` is never 0.
package struct Extent: Hashable, Sendable, Codable {
    /// Where in the file it begins.
    package var offset: Int64
    package var length: Int64
    package var block: BlockID
    /// Where in the block's plain content it begins.
    package var blockOffset: Int64

    package init(offset: Int64, length: Int64, block: BlockID, blockOffset: Int64) {
        self.offset = offset
        self.length = length
        self.block = block
        self.blockOffset = blockOffset
    }

    package var end: Int64 { offset + length }
}

/// Numbers of the content format that client and server share (DESIGN §1, §4.1).
package enum ContentLimits {
    /// One segment row describes this many bytes of a file; no extent crosses its border.
    package static let segmentBytes: Int64 = 64 << 20
    /// The server refuses rows of more.
    package static let maximumSegmentExtents = 16_384
    package static let maximumBlockBytes: Int64 = 4 << 20
    package static let maximumFileBytes: Int64 = .max - segmentBytes
    /// A block whose stored form is no longer than this travels inside the commit that brings it.
    package static let maximumInlineBytes = 8 << 10
    /// One of at most this many stored bytes comes and goes together with others, and lies in a pack on the server.
    package static let maximumPackedBytes = 256 << 10
    /// A commit names at most this many rows of each kind; the server refuses more. Clients send far less at a time, but what
    /// can only be had together has to have room: a large folder in the place of another one that its files come from.
    package static let maximumCommitRows = 20_000

    /// Index of the segment row that describes the byte at `offset`.
    package static func segmentIndex(of offset: Int64) -> Int64 { offset / segmentBytes }
}
