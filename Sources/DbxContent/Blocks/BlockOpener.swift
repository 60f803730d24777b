import DbxModel
import Foundation
import Zstd

/// Turns stored blocks back into content, believing nothing. Owned by one thread at a time; keeps a decompression
/// context between calls.
package final class BlockOpener {
    private let decompressor = ZstdDecompressor()

    package init() {}

    /// The block's whole content. Checks its lengths, id, every frame and the header.
    ///
    /// The payload's hash is not computed again: the wrap authenticates key, id and lengths, the id is the hash of exactly
    /// these bytes, and every frame is authentic under the key, so there is but one payload that can come out.
    package func open(_ stored: [UInt8], _ access: BlockAccess) throws(BlockError) -> [UInt8] {
        guard stored.count == access.layout.storedBytes else { throw .wrongLength }
        guard BlockID(ofStored: stored) == access.id else { throw .wrongID }
        return try decode(stored, access)
    }

    /// The content in some frames of a raw block, `access.layout.plainRange(of: frames)`, from the stored bytes of just
    /// those, `access.layout.storedRange(of: frames)`. Each frame is verified by itself; the id is not.
    package func open(frames: Range<Int>, stored: [UInt8], _ access: BlockAccess) throws(BlockError) -> [UInt8] {
        let layout = access.layout
        guard layout.isRaw, frames.lowerBound >= 0, frames.upperBound <= layout.frameCount, !frames.isEmpty else {
            throw .notReadableByRange
        }
        guard stored.count == layout.storedRange(of: frames).count else { throw .wrongLength }
        var body: [UInt8] = []
        body.reserveCapacity(layout.plainRange(of: frames).count)
        _ = try openFrames(frames, of: stored, access, into: &body)
        return body
    }

    /// Decodes a block just sealed and compares: nothing is uploaded that could not be read again.
    package func verify(_ block: SealedBlock, holds plain: Span<UInt8>) throws(BlockError) {
        // The id has just been computed from these very bytes, and the server does so again.
        guard let decoded = try? decode(block.stored, block.access), Self.areEqual(decoded.span, plain) else {
            throw .doesNotDecode
        }
    }

    private func decode(_ stored: [UInt8], _ access: BlockAccess) throws(BlockError) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(access.layout.bodyBytes)
        let header = try openFrames(0..<access.layout.frameCount, of: stored, access, into: &body)
        guard header?.codec == .zstd else { return body }
        do {
            return try decompressor.decompress(body.span, plainBytes: access.layout.plainBytes)
        } catch {
            throw .malformed
        }
    }

    private static func areEqual(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
        guard a.count == b.count, !a.isEmpty else { return a.count == b.count }
        return unsafe a.withUnsafeBytes { a in
            // Both are as long as `a`, and not empty.
            unsafe b.withUnsafeBytes { b in unsafe memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 }
        }
    }

    /// Appends what `frames` hold, the header left out, to `body`. `stored` begins with the first of `frames`. Returns the
    /// header where frame 0 is among them.
    private func openFrames(
        _ frames: Range<Int>, of stored: [UInt8], _ access: BlockAccess, into body: inout [UInt8]
    ) throws(BlockError) -> BlockHeader? {
        let layout = access.layout
        let cipher = FrameCipher(key: access.secrets.key, frameCount: layout.frameCount)
        let start = layout.storedRange(of: frames).lowerBound
        var header: BlockHeader?
        for frame in frames {
            let range = layout.storedRange(of: frame..<frame + 1)
            let plain = try cipher.open(stored[range.lowerBound - start..<range.upperBound - start], frame: frame)
            if frame == 0 {
                header = try checkedHeader(of: plain, layout)
                body.append(contentsOf: plain.dropFirst(BlockLayout.headerBytes))
            } else {
                body.append(contentsOf: plain)
            }
        }
        return header
    }

    private func checkedHeader(of first: Data, _ layout: BlockLayout) throws(BlockError) -> BlockHeader {
        let header = try BlockHeader(parsing: first)
        if header.hasBase {
            guard let base = BlockID(bytes: first.dropFirst(BlockLayout.headerBytes).prefix(32)) else {
                throw .malformed
            }
            throw .needsBase(base)
        }
        guard header.plainBytes == layout.plainBytes, (header.codec == .raw) == layout.isRaw else { throw .malformed }
        return header
    }
}
