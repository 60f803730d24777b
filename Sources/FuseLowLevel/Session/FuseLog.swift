internal import CFuse3
internal import Glibc

/// What libfuse would print.
enum FuseLog {
    /// Runs `body` and returns with its result what libfuse said on this thread.
    static func capture<Result>(_ body: () -> Result) -> (Result, String) {
        let capacity = 1024
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { text in
            unsafe text.initialize(repeating: 0)
            // Safe: the capture ends before the buffer does.
            unsafe dbxfs_fuse_capture_log(text.baseAddress, capacity)
            let result = body()
            dbxfs_fuse_capture_log(nil, 0)
            let bytes = unsafe text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            return (result, String(decoding: bytes, as: UTF8.self))
        }
    }
}
