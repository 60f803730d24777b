import CZstd

/// What libzstd refused, in its own words.
package struct ZstdError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }

    init(code: Int) {
        let name = unsafe ZSTD_getErrorName(code)
        self.init(unsafe name.map { unsafe String(cString: $0) } ?? "zstd error \(code)")
    }
}

/// A reusable compression context. Owned by one thread at a time; a new one costs about a millisecond's memory traffic.
@safe package final class ZstdCompressor {
    /// Never nil after init, freed exactly once in deinit.
    private let context: OpaquePointer

    package init() {
        guard let context = unsafe ZSTD_createCCtx() else { fatalError("out of memory for a zstd context") }
        unsafe self.context = unsafe context
    }

    deinit { _ = unsafe ZSTD_freeCCtx(context) }

    /// The most bytes that `count` bytes can become.
    package static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// Writes one zstd frame, content size stated, no checksum, to `target` from `offset` on and returns its length.
    /// The same library version gives the same bytes for the same input and level.
    package func compress(_ source: Span<UInt8>, level: Int32, into target: inout [UInt8], at offset: Int)
        throws(ZstdError)
        -> Int
    {
        precondition(offset <= target.count)
        let count = unsafe target.withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { source in
                // Both pointers hold for the closure; the capacity passed is what lies behind `offset`.
                unsafe ZSTD_compressCCtx(
                    context, target.baseAddress.map { unsafe $0 + offset }, target.count - offset, source.baseAddress,
                    source.count, level)
            }
        }
        guard ZSTD_isError(count) == 0 else { throw ZstdError(code: count) }
        return count
    }

    /// The same for a frame that only a reader who has `prefix` can decode: what the two have in common, wherever it
    /// stands, is not repeated. It carries a checksum, for another prefix would give other bytes without a word. Nil where more than the room in `target` is needed.
    package func compress(
        _ source: Span<UInt8>, against prefix: Span<UInt8>, level: Int32, into target: inout [UInt8], at offset: Int
    ) throws(ZstdError) -> Int? {
        precondition(offset <= target.count)
        unsafe ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)
        for (parameter, value) in [
            (ZSTD_c_compressionLevel, level), (ZSTD_c_enableLongDistanceMatching, 1),
            (ZSTD_c_windowLog, Self.windowLog),
            (ZSTD_c_checksumFlag, 1),
        ] { unsafe ZSTD_CCtx_setParameter(context, parameter, value) }
        let count = unsafe target.withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { source in
                unsafe prefix.withUnsafeBytes { prefix in
                    // The context refers to the prefix for this one frame; all pointers hold for the closure.
                    unsafe ZSTD_CCtx_refPrefix(context, prefix.baseAddress, prefix.count)
                    return unsafe ZSTD_compress2(
                        context, target.baseAddress.map { unsafe $0 + offset }, target.count - offset,
                        source.baseAddress, source.count)
                }
            }
        }
        if ZSTD_getErrorCode(count) == ZSTD_error_dstSize_tooSmall { return nil }
        guard ZSTD_isError(count) == 0 else { throw ZstdError(code: count) }
        return count
    }

    /// Prefix and source are 4 MiB each at most; with less than this zstd does not find a prefix of that size.
    private static let windowLog: Int32 = 23
}
