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
}
