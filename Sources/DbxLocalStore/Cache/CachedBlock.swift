/// Where the plain content of a block lies in the cache.
package struct CachedBlock: Hashable, Sendable {
    package var block: BlockNumber
    package var location: SegmentLocation
    package var length: Int64
    /// CRC-32C of each 64 KiB of the content, to be compared the first time that the bytes are read after a start.
    package var checksums: [UInt32]
    /// Whether the bytes have been compared since the start (or were written since).
    package var isVerified: Bool

    package static let frameBytes = 64 << 10
}
