internal import CFuse3
internal import Glibc

/// A request that waits for its answer: exactly one reaches the kernel, EIO when this is dropped.
///
/// Owned by one reply at a time; may move between threads. Keeps the connection alive, so that an answer that comes
/// after the unmount goes nowhere instead of into freed memory.
@safe package struct FuseRequest: ~Copyable, @unchecked Sendable {
    /// Nil once answered.
    private var pointer: OpaquePointer?
    private let connection: FuseConnection
    private var interruption: FuseInterruption?
    /// The inode that is read, in a read request.
    private let readInode: FuseInode?
    /// Whether the connection counts this as a read that waits.
    private var isWaitingRead = false

    init(_ pointer: OpaquePointer, of connection: FuseConnection, reading inode: FuseInode? = nil) {
        unsafe self.pointer = pointer
        self.connection = connection
        readInode = inode
    }

    /// The answer will come later, from elsewhere: notices about what is read wait for it.
    mutating func willWait() {
        guard let readInode, !isWaitingRead else { return }
        isWaitingRead = true
        connection.notices.withLock { $0.beginRead(of: readInode) }
    }

    private func endWaiting() {
        guard isWaitingRead, let readInode else { return }
        if connection.notices.withLock({ $0.endRead(of: readInode) }) { connection.notices.wakeAll() }
    }

    /// Hands the request to a `fuse_reply_*` function, which ends it.
    consuming func answer(_ reply: (OpaquePointer) -> Int32) {
        guard let request = unsafe pointer else { return }
        unsafe pointer = nil
        unsafe Self.silence(request, interruption)
        unsafe _ = reply(request)
        endWaiting()
    }

    consuming func fail(_ code: Int32) {
        unsafe answer { request in unsafe fuse_reply_err(request, code) }
    }

    /// Ends the request with bytes, which libfuse has passed on when this returns.
    consuming func succeed(_ bytes: UnsafeRawBufferPointer) {
        unsafe answer { request in
            unsafe fuse_reply_buf(request, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }

    consuming func succeed(_ bytes: [UInt8]) {
        unsafe answer { request in
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe fuse_reply_buf(
                    request, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
            }
        }
    }

    /// For calls that need the request but do not end it (building directory buffers).
    borrowing func withPointer<Result>(_ body: (OpaquePointer?) -> Result) -> Result {
        unsafe body(pointer)
    }

    /// Whether the caller was killed or had a signal and no longer waits for this answer.
    package borrowing func isInterrupted() -> Bool {
        guard let request = unsafe pointer else { return false }
        return unsafe fuse_req_interrupted(request) != 0
    }

    /// From now on `interruption` fires when the caller no longer waits. Returns true when that is so already.
    mutating func observe(_ interruption: FuseInterruption) -> Bool {
        guard let request = unsafe pointer else { return false }
        self.interruption = interruption
        // Safe: the object outlives the registration, which `silence` ends before the request is answered.
        unsafe fuse_req_interrupt_func(
            request,
            { _, data in
                guard let data = unsafe data else { return }
                unsafe Unmanaged<FuseInterruption>.fromOpaque(data).takeUnretainedValue().note()
            },
            Unmanaged.passUnretained(interruption).toOpaque())
        guard unsafe fuse_req_interrupted(request) != 0 else { return false }
        // The callback may have run here and now; the caller does what it would have led to.
        FuseThreadState.current.interruptions.removeAll { $0 === interruption }
        return true
    }

    /// Ends the registration; on return no callback runs or will run, because libfuse holds the request's lock around it.
    private static func silence(_ request: OpaquePointer, _ interruption: FuseInterruption?) {
        guard interruption != nil else { return }
        unsafe fuse_req_interrupt_func(request, nil, nil)
    }

    deinit {
        guard let request = unsafe pointer else { return }
        unsafe Self.silence(request, interruption)
        unsafe _ = fuse_reply_err(request, EIO)
        endWaiting()
    }
}
