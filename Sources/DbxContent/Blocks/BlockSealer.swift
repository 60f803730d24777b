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

    private let convergenceKey: ConvergenceKey
    private let level: Int32
    private let compressor = ZstdCompressor()
    /// Grows to the largest payload and is kept.
    private var payload: [UInt8] = []

    package init(convergenceKey: ConvergenceKey, level: Int32 = defaultLevel) {
        self.convergenceKey = convergenceKey
        self.level = level
    }

    /// Seals at most 4 MiB. The same bytes give the same block, as long as key, level and zstd's version are the same.
    package func seal(_ plain: Span<UInt8>) throws(BlockError) -> SealedBlock {
        guard plain.count <= BlockLayout.maximumPlainBytes else { throw .tooLong }
        let count = fillPayload(with: plain)
        let hash = PayloadHash(hashPayload(count))
        let key = BlockKey(from: convergenceKey, payloadHash: hash)
        let stored = sealPayload(count, under: key)
        let layout = try BlockLayout(plainBytes: Int64(plain.count), storedBytes: Int64(stored.count))
        let access = BlockAccess(
            id: BlockID(ofStored: stored), secrets: BlockSecrets(key: key, payloadHash: hash), layout: layout)
        return SealedBlock(access: access, stored: stored)
    }

    /// Leaves header and body in `payload` and returns their length.
    private func fillPayload(with plain: Span<UInt8>) -> Int {
        let header = BlockLayout.headerBytes
        let room = header + ZstdCompressor.bound(plain.count)
        if payload.count < room { payload = [UInt8](repeating: 0, count: room) }
        if let count = compressedBytes(of: plain) {
            payload.replaceSubrange(..<header, with: BlockHeader(codec: .zstd, plainBytes: plain.count).bytes)
            return header + count
        }
        payload.replaceSubrange(..<header, with: BlockHeader(codec: .raw, plainBytes: plain.count).bytes)
        unsafe payload.withUnsafeMutableBytes { payload in
            // `payload` has room for the header and the bound, which is never less than the content.
            let body = unsafe UnsafeMutableRawBufferPointer(rebasing: payload[header...])
            unsafe plain.withUnsafeBytes { unsafe body.copyMemory(from: $0) }
        }
        return header + plain.count
    }

    /// Compresses into `payload` behind the header; nil where that gains less than 5 %.
    private func compressedBytes(of plain: Span<UInt8>) -> Int? {
        guard plain.count > 0, !looksIncompressible(plain),
            let count = try? compressor.compress(plain, level: level, into: &payload, at: BlockLayout.headerBytes),
            count * 20 <= plain.count * 19
        else { return nil }
        return count
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
            let count = try? compressor.compress(sample, level: level, into: &payload, at: BlockLayout.headerBytes)
            total += min(count ?? pieceBytes, pieceBytes)
        }
        return total * 100 > pieces * pieceBytes * 99
    }

    private func hashPayload(_ count: Int) -> SHA256.Digest { SHA256.hash(data: payload[..<count]) }

    private func sealPayload(_ count: Int, under key: BlockKey) -> [UInt8] {
        let header = BlockLayout.headerBytes
        let frameCount = BlockLayout.frameCount(ofBody: count - header)
        let cipher = FrameCipher(key: key, frameCount: frameCount)
        var stored: [UInt8] = []
        stored.reserveCapacity(BlockLayout.storedBytes(ofBody: count - header))
        for frame in 0..<frameCount {
            let start = frame == 0 ? 0 : header + frame * BlockLayout.frameBytes
            let end = min(count, header + (frame + 1) * BlockLayout.frameBytes)
            cipher.seal(payload[start..<end], frame: frame, to: &stored)
        }
        return stored
    }
}
