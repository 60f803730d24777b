import CZstd

/// A reusable decompression context. Owned by one thread at a time.
@safe package final class ZstdDecompressor {
    /// Never nil after init, freed exactly once in deinit.
    private let context: OpaquePointer

    package init() {
        guard let context = unsafe ZSTD_createDCtx() else { fatalError("out of memory for a zstd context") }
        unsafe self.context = unsafe context
    }

    deinit { _ = unsafe ZSTD_freeDCtx(context) }

    /// Decodes exactly one frame that fills `source` and holds exactly `plainBytes`. Hostile input throws and never
    /// makes more memory be used than `plainBytes`.
    package func decompress(_ source: Span<UInt8>, plainBytes: Int) throws(ZstdError) -> [UInt8] {
        var status = 0
        let plain = unsafe source.withUnsafeBytes { source in
            unsafe [UInt8](unsafeUninitializedCapacity: plainBytes) { target, written in
                status = unsafe decode(source, into: UnsafeMutableRawBufferPointer(target))
                written = status == plainBytes ? plainBytes : 0
            }
        }
        guard ZSTD_isError(status) == 0 else { throw ZstdError(code: status) }
        guard status == plainBytes else { throw ZstdError("the frame holds another number of bytes than stated") }
        return plain
    }

    /// The number of bytes written, an error code of zstd, or -1 where `source` is not one single frame (as an unsigned
    /// number, -1 is zstd's generic error).
    private func decode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int {
        let frame = unsafe ZSTD_findFrameCompressedSize(source.baseAddress, source.count)
        guard ZSTD_isError(frame) == 0 else { return frame }
        guard frame == source.count else { return -1 }
        return unsafe ZSTD_decompressDCtx(
            context, target.baseAddress, target.count, source.baseAddress, source.count)
    }
}
