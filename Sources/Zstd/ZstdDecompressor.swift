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
    ///
    /// `prefix`: what the frame was compressed against.
    package func decompress(
        _ source: Span<UInt8>, against prefix: Span<UInt8>? = nil, plainBytes: Int
    ) throws(ZstdError) -> [UInt8] {
        var status = 0
        unsafe ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters)
        let plain = unsafe source.withUnsafeBytes { source in
            unsafe [UInt8](unsafeUninitializedCapacity: plainBytes) { target, written in
                let target = UnsafeMutableRawBufferPointer(target)
                if let prefix {
                    status = unsafe prefix.withUnsafeBytes { prefix in
                        // The context refers to the prefix for this one frame, and the pointer holds as long.
                        unsafe ZSTD_DCtx_refPrefix(context, prefix.baseAddress, prefix.count)
                        return unsafe decode(source, into: target)
                    }
                } else {
                    status = unsafe decode(source, into: target)
                }
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

    /// Decodes one frame, whether or not it states its length, of a window of 8 MiB at most. More than `limitBytes` is an
    /// error, as is a frame that does not end or has something behind it.
    package func decompressStream(_ source: Span<UInt8>, limitBytes: Int) throws(ZstdError) -> [UInt8] {
        let (status, plain) = unsafe source.withUnsafeBytes { source in
            unsafe decodeStream(source, limitBytes: limitBytes)
        }
        guard ZSTD_isError(status) == 0 else { throw ZstdError(code: status) }
        guard status == 0 else { throw ZstdError("the frame does not end, or holds more than \(limitBytes) bytes") }
        return plain
    }

    private static let maximumWindowLog: Int32 = 23

    /// 0 when the frame filled `source` exactly, an error code of zstd, or another number.
    private func decodeStream(_ source: UnsafeRawBufferPointer, limitBytes: Int) -> (status: Int, plain: [UInt8]) {
        unsafe ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters)
        unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.maximumWindowLog)
        var plain = [UInt8](repeating: 0, count: min(limitBytes, max(4 * source.count, 1 << 12)))
        var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
        var written = 0
        while true {
            // zstd writes between `pos` and `size` of what it is given here.
            let status = unsafe plain.withUnsafeMutableBytes { target in
                var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: written)
                let status = unsafe ZSTD_decompressStream(context, &output, &input)
                written = unsafe output.pos
                return status
            }
            let isInputUsed = unsafe input.pos == source.count
            if ZSTD_isError(status) != 0 || status == 0 {
                plain.removeSubrange(written...)
                return (status == 0 && !isInputUsed ? -1 : status, plain)
            }
            guard written == plain.count else { return (status, []) }
            guard plain.count < limitBytes else { return (status, []) }
            plain += [UInt8](repeating: 0, count: min(plain.count, limitBytes - plain.count))
        }
    }
}
