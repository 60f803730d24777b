internal import CFuse3
internal import Glibc

/// The answer to getxattr and listxattr: a value, or its size where the caller only asks for that.
package struct FuseReplyExtendedAttribute: ~Copyable, FuseAnswer {
    private var request: FuseRequest
    /// Bytes of the caller's buffer; 0 asks for the size.
    private let capacity: Int

    init(_ request: consuming FuseRequest, capacity: Int) {
        self.request = request
        self.capacity = capacity
    }

    /// Answers ERANGE itself where the value does not fit.
    package consuming func succeed(_ value: [UInt8]) {
        if capacity == 0 {
            unsafe request.answer { request in unsafe fuse_reply_xattr(request, value.count) }
        } else if value.count > capacity {
            request.fail(ERANGE)
        } else {
            request.succeed(value)
        }
    }

    package consuming func fail(_ code: Int32) { request.fail(code) }

    package mutating func willWait() { request.willWait() }

    package borrowing func isInterrupted() -> Bool { request.isInterrupted() }

    package mutating func observe(_ handler: @escaping @Sendable () -> Void) -> FuseInterruptionToken? {
        let interruption = FuseInterruption(handler)
        return request.observe(interruption) ? FuseInterruptionToken(interruption: interruption) : nil
    }
}
