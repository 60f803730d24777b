extension FuseReply where Kind == FuseResult.Data {
    /// Fewer bytes than asked for mean the end of the file, except on files opened with `directIO`.
    package consuming func succeed(_ bytes: UnsafeRawBufferPointer) {
        unsafe request.succeed(bytes)
    }

    package consuming func succeed(_ bytes: [UInt8]) {
        request.succeed(bytes)
    }

    /// Answers from this thread's own buffer, which `fill` fills from its start; it returns how many bytes hold, or
    /// an errno value. The buffer is recycled: what `fill` does not write is not to be counted.
    package consuming func succeed(
        capacity: Int, filling fill: (UnsafeMutableRawBufferPointer) -> FuseFilled
    ) {
        let buffer = unsafe FuseThreadState.current.buffer(capacity: capacity)
        switch unsafe fill(buffer) {
        case .bytes(let count):
            precondition(count <= capacity)
            unsafe succeed(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        case .failed(let code):
            fail(code)
        }
    }
}

/// What a closure that fills a buffer came to.
package enum FuseFilled: Sendable {
    case bytes(Int)
    /// An errno value.
    case failed(Int32)
}
