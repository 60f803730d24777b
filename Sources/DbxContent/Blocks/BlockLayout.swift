import DbxModel

/// Where things stand in the stored form of one block, worked out from its two lengths alone (docs/FORMAT.md, Blocks).
///
/// The stored form is a run of frames. Each seals 64 KiB of the body, the last one what is left, and the first one the
/// 8-byte header besides; so frame `k` of a raw block holds exactly its content's bytes from `k` × 64 KiB on. A
/// compressed body is always shorter than the content, so the lengths also say whether a block is raw.
package struct BlockLayout: Hashable, Sendable {
    package let plainBytes: Int
    package let storedBytes: Int
    package let frameCount: Int

    package static let headerBytes = 8
    package static let frameBytes = 64 << 10
    package static let tagBytes = 16
    package static let maximumPlainBytes = Int(ContentLimits.maximumBlockBytes)
    package static let maximumStoredBytes = storedBytes(ofBody: maximumPlainBytes)

    /// Throws `tooLong` or `wrongLength` for a pair of lengths that no block has.
    package init(plainBytes: Int64, storedBytes: Int64) throws(BlockError) {
        guard plainBytes <= Self.maximumPlainBytes, storedBytes <= Self.maximumStoredBytes else { throw .tooLong }
        guard plainBytes >= 0, storedBytes >= Self.headerBytes + Self.tagBytes else { throw .wrongLength }
        let sealed = Int(storedBytes) - Self.headerBytes
        let perFrame = Self.frameBytes + Self.tagBytes
        let count = (sealed + perFrame - 1) / perFrame
        // A last frame holds at least a byte, unless it is the only one.
        let last = sealed - (count - 1) * perFrame - Self.tagBytes
        guard last > 0 || (count == 1 && last == 0) else { throw .wrongLength }
        self.plainBytes = Int(plainBytes)
        self.storedBytes = Int(storedBytes)
        frameCount = count
        guard bodyBytes <= self.plainBytes else { throw .wrongLength }
    }

    /// How many stored bytes a body of `count` bytes takes.
    static func storedBytes(ofBody count: Int) -> Int {
        headerBytes + count + frameCount(ofBody: count) * tagBytes
    }

    static func frameCount(ofBody count: Int) -> Int { max(1, (count + frameBytes - 1) / frameBytes) }

    /// Payload without header.
    var bodyBytes: Int { storedBytes - Self.headerBytes - frameCount * Self.tagBytes }

    /// Whether the content stands in the block as it is, so that parts of it can be read.
    package var isRaw: Bool { bodyBytes == plainBytes }

    /// The frames that hold the given bytes of a raw block's content.
    package func frames(holding plain: Range<Int>) throws(BlockError) -> Range<Int> {
        guard isRaw, plain.lowerBound >= 0, plain.upperBound <= plainBytes, !plain.isEmpty else {
            throw .notReadableByRange
        }
        return plain.lowerBound / Self.frameBytes..<(plain.upperBound - 1) / Self.frameBytes + 1
    }

    /// The stored bytes of some frames; `frames` must lie within `0..<frameCount`.
    package func storedRange(of frames: Range<Int>) -> Range<Int> {
        storedOffset(of: frames.lowerBound)..<storedOffset(of: frames.upperBound)
    }

    /// The content bytes that some frames of a raw block hold.
    package func plainRange(of frames: Range<Int>) -> Range<Int> {
        min(frames.lowerBound * Self.frameBytes, plainBytes)..<min(frames.upperBound * Self.frameBytes, plainBytes)
    }

    private func storedOffset(of frame: Int) -> Int {
        frame == 0 ? 0 : min(storedBytes, Self.headerBytes + frame * (Self.frameBytes + Self.tagBytes))
    }
}
