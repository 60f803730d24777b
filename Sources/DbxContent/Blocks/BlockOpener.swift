import DbxModel
import Foundation
import Zstd

/// Turns stored blocks back into content, believing nothing. Owned by one thread at a time; keeps a decompression
/// context between calls.
package final class BlockOpener {
    private let decompressor = ZstdDecompressor()

    package init() {}

    /// Gives the block's whole content to `take`, in order: that of a raw block in pieces of 64 KiB, the last one shorter,
    /// which have not left the processor's cache yet; that of a compressed one at once. It is the block's only if this
    /// returns: lengths, id, every frame and the header are checked.
    ///
    /// The payload's hash is not computed again: the wrap authenticates key, id and lengths, the id is the hash of exactly
    /// these bytes, and every frame is authentic under the key, so there is but one payload that can come out.
    ///
    /// `base`: the content of `access.base`, which must be given where there is one.
    package func open(
        _ stored: [UInt8], _ access: BlockAccess, base: BlockBase? = nil, take: (Span<UInt8>) -> Void
    ) throws(BlockError) {
        guard stored.count == access.layout.storedBytes else { throw .wrongLength }
        guard BlockID(ofStored: stored) == access.id else { throw .wrongID }
        try decode(stored, access, base, take: take)
    }

    /// The content in some frames of a raw block, `access.layout.plainRange(of: frames)`, from the stored bytes of just
    /// those, `access.layout.storedRange(of: frames)`. Each frame is verified by itself; the id is not.
    package func open(frames: Range<Int>, stored: [UInt8], _ access: BlockAccess) throws(BlockError) -> [UInt8] {
        let layout = access.layout
        guard layout.isRaw, frames.lowerBound >= 0, frames.upperBound <= layout.frameCount, !frames.isEmpty else {
            throw .notReadableByRange
        }
        guard stored.count == layout.storedRange(of: frames).count else { throw .wrongLength }
        var content: [UInt8] = []
        content.reserveCapacity(layout.plainRange(of: frames).count)
        try openFrames(frames, of: stored, access) { Self.append($0, to: &content) }
        return content
    }

    /// Decodes a block just sealed and compares: nothing is uploaded that could not be read again. The id has just been
    /// computed from these very bytes, and the server does so again.
    package func verify(
        _ block: SealedBlock, base: BlockBase? = nil, holds plain: Span<UInt8>
    ) throws(BlockError) {
        var position = 0
        var isEqual = true
        // The pointers are used only inside the closures, within their bounds.
        let isDecoded = unsafe plain.withUnsafeBytes { plain in
            do throws(BlockError) {
                try decode(block.stored, block.access, base) { part in
                    isEqual = unsafe isEqual && Self.holds(plain, part, at: position)
                    position += part.count
                }
                return true
            } catch {
                return false
            }
        }
        guard isDecoded, isEqual, position == plain.count else { throw .doesNotDecode }
    }

    private static func holds(_ bytes: UnsafeRawBufferPointer, _ part: Span<UInt8>, at position: Int) -> Bool {
        guard !part.isEmpty else { return true }
        guard part.count <= bytes.count - position else { return false }
        return unsafe part.withUnsafeBytes { part in
            unsafe memcmp(part.baseAddress!, bytes.baseAddress! + position, part.count) == 0
        }
    }

    private func decode(
        _ stored: [UInt8], _ access: BlockAccess, _ base: BlockBase?, take: (Span<UInt8>) -> Void
    ) throws(BlockError) {
        if let needed = access.base, base?.id != needed { throw .needsBase(needed) }
        let frames = 0..<access.layout.frameCount
        if access.layout.isRaw { return try openFrames(frames, of: stored, access, take: take) }
        var body: [UInt8] = []
        body.reserveCapacity(access.layout.bodyBytes)
        try openFrames(frames, of: stored, access) { Self.append($0, to: &body) }
        let content: [UInt8]
        do {
            content = try decompress(body, access.base == nil ? nil : base, plainBytes: access.layout.plainBytes)
        } catch {
            throw .malformed
        }
        take(content.span)
    }

    private func decompress(_ body: [UInt8], _ base: BlockBase?, plainBytes: Int) throws -> [UInt8] {
        guard let base else { return try decompressor.decompress(body.span, plainBytes: plainBytes) }
        guard body.starts(with: base.id.bytes) else { throw BlockError.malformed }
        let frame = body.span.extracting(BlockBase.idBytes...)
        return try decompressor.decompress(frame, against: base.plain.span, plainBytes: plainBytes)
    }

    /// Gives what each of `frames` holds, the header left out, to `take`. `stored` begins with the first of `frames`.
    private func openFrames(
        _ frames: Range<Int>, of stored: [UInt8], _ access: BlockAccess, take: (Span<UInt8>) -> Void
    ) throws(BlockError) {
        let layout = access.layout
        let cipher = FrameCipher(key: access.secrets.key, frameCount: layout.frameCount)
        let start = layout.storedRange(of: frames).lowerBound
        for frame in frames {
            let range = layout.storedRange(of: frame..<frame + 1)
            let plain = try cipher.open(stored[range.lowerBound - start..<range.upperBound - start], frame: frame)
            if frame == 0 { try checkHeader(of: plain, access) }
            // The layout gives the first frame room for a header.
            let skipped = frame == 0 ? BlockLayout.headerBytes : 0
            take(plain.span.extracting(skipped..<plain.count))
        }
    }

    private static func append(_ part: Span<UInt8>, to bytes: inout [UInt8]) {
        // The pointer is used only inside the closure.
        unsafe part.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    private func checkHeader(of first: Data, _ access: BlockAccess) throws(BlockError) {
        let layout = access.layout
        let header = try BlockHeader(parsing: first)
        if header.hasBase, access.base == nil {
            guard let base = BlockID(bytes: first.dropFirst(BlockLayout.headerBytes).prefix(BlockBase.idBytes)) else {
                throw .malformed
            }
            throw .needsBase(base)
        }
        guard header.hasBase == (access.base != nil), !header.hasBase || header.codec == .zstd else { throw .malformed }
        guard header.plainBytes == layout.plainBytes, (header.codec == .raw) == layout.isRaw else { throw .malformed }
    }
}
