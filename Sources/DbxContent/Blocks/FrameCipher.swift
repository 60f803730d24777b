import Crypto
import DbxModel
import Foundation

/// AES-256-GCM over the frames of one block (docs/FORMAT.md, Frames).
///
/// The nonce is the frame's number and whether it is the last; every frame authenticates the number of frames. A nonce
/// never meets two messages: the key is derived from the hash of everything it seals.
struct FrameCipher {
    private let key: SymmetricKey
    private let frameCount: Int
    private let authenticated: [UInt8]

    init(key: BlockKey, frameCount: Int) {
        self.key = key.symmetric
        self.frameCount = frameCount
        authenticated = [BlockHeader.version] + UInt32(frameCount).bigEndianBytes
    }

    /// Appends the sealed frame and its tag to `stored`.
    func seal(_ plain: UnsafeRawBufferPointer, frame: Int, to stored: inout [UInt8]) {
        do {
            // The cipher reads the bytes during the call only.
            let box = unsafe try AES.GCM.seal(plain, using: key, nonce: nonce(of: frame), authenticating: authenticated)
            stored.append(contentsOf: box.combined!.dropFirst(Self.nonceBytes))
        } catch {
            fatalError("AES-GCM refused a 32-byte key or a 12-byte nonce: \(error)")
        }
    }

    /// The frame's plain bytes. `sealed` is at least a tag long.
    func open(_ sealed: ArraySlice<UInt8>, frame: Int) throws(BlockError) -> Data {
        do {
            let box = try AES.GCM.SealedBox(
                nonce: nonce(of: frame), ciphertext: sealed.dropLast(BlockLayout.tagBytes),
                tag: sealed.suffix(BlockLayout.tagBytes))
            return try AES.GCM.open(box, using: key, authenticating: authenticated)
        } catch {
            throw .notAuthentic(frame: frame)
        }
    }

    private static let nonceBytes = 12

    /// 11 bytes of frame number, then 1 on the last frame and 0 on the others.
    private func nonce(of frame: Int) throws -> AES.GCM.Nonce {
        try AES.GCM.Nonce(data: [0, 0, 0] + UInt64(frame).bigEndianBytes + [frame == frameCount - 1 ? 1 : 0])
    }
}
