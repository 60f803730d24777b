import CZstd
import Synchronization

/// zstd as the content coding of HTTP bodies (RFC 8878, with the window of RFC 9659: 8 MiB at most).
///
/// Sendable: the contexts that calls leave behind are kept for later ones, as many as ever ran at once.
package final class ZstdCoding: Sendable {
    /// As `Content-Encoding` and `Accept-Encoding` name it.
    package static let name = "zstd"
    /// Shorter bodies gain less than they cost.
    package static let fewestBytes = 512

    private static let level: Int32 = 3

    /// Sendable because one thread at a time has them: they are in `idle` or on its stack.
    private final class Contexts: @unchecked Sendable {
        let compressor = ZstdCompressor()
        let decompressor = ZstdDecompressor()
    }

    private let idle = Mutex<[Contexts]>([])

    package init() {}

    /// Nil where that gains nothing.
    package func encode(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count >= Self.fewestBytes else { return nil }
        return withContexts { contexts in
            var target = [UInt8](repeating: 0, count: ZstdCompressor.bound(bytes.count))
            let count = try? contexts.compressor.compress(bytes.span, level: Self.level, into: &target, at: 0)
            guard let count, count < bytes.count else { return nil }
            return Array(target[..<count])
        }
    }

    /// Throws where `bytes` are no complete frame or hold more than `limitBytes`, without making room for more.
    package func decode(_ bytes: [UInt8], limitBytes: Int) throws(ZstdError) -> [UInt8] {
        let result = withContexts { contexts in
            Result { () throws(ZstdError) in
                try contexts.decompressor.decompressStream(bytes.span, limitBytes: limitBytes)
            }
        }
        return try result.get()
    }

    private func withContexts<Value>(_ body: (Contexts) -> Value) -> Value {
        let contexts = idle.withLock { $0.popLast() } ?? Contexts()
        defer { idle.withLock { $0.append(contexts) } }
        return body(contexts)
    }
}
