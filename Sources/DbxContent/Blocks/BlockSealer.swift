import Crypto
package import DbxModel
import Zstd

/// A block in its stored form, ready to be uploaded, with what opens it.
package struct SealedBlock: Sendable {
    package let access: BlockAccess
    package let stored: [UInt8]

    package var id: BlockID { access.id }
    package var plainBytes: Int { access.layout.plainBytes }
}

/// Turns content into blocks of one key domain. Owned by one thread at a time; keeps a compression context and up to
/// 4 MiB of buffer between calls.
package final class BlockSealer {
    package static let defaultLevel: Int32 = 1
    private static let levelAgainstBase: Int32 = 3

    private let convergenceKey: ConvergenceKey
    private let level: Int32
    private let compressor = ZstdCompressor()
    /// Grows to the largest block that was worth compressing and is kept.
    private var compressed: [UInt8] = []

    package init(convergenceKey: ConvergenceKey, level: Int32 = defaultLevel) {
        self.convergenceKey = convergenceKey
        self.level = level
    }

    /// Seals at most 4 MiB. The same bytes give the same block, as long as key, level and zstd's version are the same.
    package func seal(_ plain: Span<UInt8>) throws(BlockError) -> SealedBlock {
        guard plain.count <= BlockLayout.maximumPlainBytes else { throw .tooLong }
        guard let count = compressedBytes(of: plain) else {
            return try seal(BlockHeader(codec: .raw, plainBytes: plain.count), body: plain)
        }
        let header = BlockHeader(codec: .zstd, plainBytes: plain.count)
        let bytes = compressed
        return try seal(header, body: bytes.span.extracting(..<count))
    }

    /// The same as what differs from `base`; nil where the body of that has more than `limitBytes`.
    package func seal(
        _ plain: Span<UInt8>, against base: BlockBase, limitBytes: Int
    ) throws(BlockError) -> SealedBlock? {
        guard plain.count <= BlockLayout.maximumPlainBytes else { throw .tooLong }
        let room = min(limitBytes, plain.count - 1)
        guard room > BlockBase.idBytes else { return nil }
        var body = base.id.bytes + [UInt8](repeating: 0, count: room - BlockBase.idBytes)
        let count = try? compressor.compress(
            plain, against: base.plain.span, level: Self.levelAgainstBase, into: &body, at: BlockBase.idBytes)
        guard let count = count ?? nil else { return nil }
        let header = BlockHeader(codec: .zstd, hasBase: true, plainBytes: plain.count)
        return try seal(header, body: body.span.extracting(..<(BlockBase.idBytes + count)), base: base.id)
    }

    private func seal(
        _ header: BlockHeader, body: Span<UInt8>, base: BlockID? = nil
    ) throws(BlockError) -> SealedBlock {
        var hasher = SHA256()
        hasher.update(data: header.bytes)
        // The pointers are used only inside the closures.
        unsafe body.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
        let hash = PayloadHash(hasher.finalize())
        let key = BlockKey(from: convergenceKey, payloadHash: hash)
        let stored = unsafe body.withUnsafeBytes { unsafe sealFrames(header, $0, under: key) }
        let layout = try BlockLayout(plainBytes: Int64(header.plainBytes), storedBytes: Int64(stored.count))
        let access = BlockAccess(
            id: BlockID(ofStored: stored), secrets: BlockSecrets(key: key, payloadHash: hash), layout: layout,
            base: base)
        return SealedBlock(access: access, stored: stored)
    }

    /// The length of what stands in `compressed` then; nil where that gains less than 5 %.
    private func compressedBytes(of plain: Span<UInt8>) -> Int? {
        guard plain.count > 0, !looksIncompressible(plain), let count = compress(plain), count * 20 <= plain.count * 19
        else { return nil }
        return count
    }

    private func compress(_ plain: Span<UInt8>) -> Int? {
        let room = ZstdCompressor.bound(plain.count)
        if compressed.count < room { compressed = [UInt8](repeating: 0, count: room) }
        return try? compressor.compress(plain, level: level, into: &compressed, at: 0)
    }

    /// Tries sixteen pieces of 4 KiB before a large block as a whole. Media and archives show in them.
    private func looksIncompressible(_ plain: Span<UInt8>) -> Bool {
        let pieces = 16
        let pieceBytes = 4 << 10
        guard plain.count >= 8 * pieces * pieceBytes else { return false }
        let step = plain.count / pieces
        var total = 0
        for piece in 0..<pieces {
            let sample = plain.extracting(piece * step..<piece * step + pieceBytes)
            total += min(compress(sample) ?? pieceBytes, pieceBytes)
        }
        return total * 100 > pieces * pieceBytes * 99
    }

    private func sealFrames(_ header: BlockHeader, _ body: UnsafeRawBufferPointer, under key: BlockKey) -> [UInt8] {
        let frameCount = BlockLayout.frameCount(ofBody: body.count)
        let cipher = FrameCipher(key: key, frameCount: frameCount)
        var stored: [UInt8] = []
        stored.reserveCapacity(BlockLayout.storedBytes(ofBody: body.count))
        for frame in 0..<frameCount {
            let start = frame * BlockLayout.frameBytes
            let piece = unsafe UnsafeRawBufferPointer(
                rebasing: body[start..<min(body.count, start + BlockLayout.frameBytes)])
            if frame == 0 {
                let first = unsafe header.bytes + piece
                unsafe first.withUnsafeBytes { unsafe cipher.seal($0, frame: 0, to: &stored) }
            } else {
                unsafe cipher.seal(piece, frame: frame, to: &stored)
            }
        }
        return stored
    }
}
