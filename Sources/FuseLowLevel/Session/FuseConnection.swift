internal import CFuse3
internal import Glibc
internal import Synchronization

/// libfuse's session: alive as long as a worker, a notice or an unanswered request needs it.
///
/// libfuse's functions lock for themselves. `userdata` of every callback is this object.
@safe final class FuseConnection: @unchecked Sendable {
    let operations: any FuseOperations
    let options: FuseMountOptions
    /// Set once in `init`, never nil after it.
    private(set) var session: OpaquePointer!
    /// What the notifier sends, and the reads it waits for. Its lock is held for moves only.
    let notices = FuseMonitor(FuseNoticeQueue())
    /// The kernel's number of the connection. Set once while mounting; nil when unknown.
    var number: Int?

    init(_ operations: any FuseOperations, options: FuseMountOptions) throws(FuseMountError) {
        self.operations = operations
        self.options = options
        var calls = FuseCallbacks.table
        let userdata = unsafe Unmanaged.passUnretained(self).toOpaque()
        let (session, text) = unsafe FuseLog.capture {
            unsafe Self.withArguments(options.arguments) { arguments in
                unsafe fuse_session_new(arguments, &calls, MemoryLayout<fuse_lowlevel_ops>.size, userdata)
            }
        }
        guard let session = unsafe session else { throw FuseMountError(.options, text) }
        unsafe self.session = session
    }

    deinit {
        if let session = unsafe session { unsafe fuse_session_destroy(session) }
    }

    private static func withArguments<Result>(
        _ arguments: [String], _ body: (UnsafeMutablePointer<fuse_args>) -> Result
    ) -> Result {
        var list = unsafe fuse_args()
        for argument in arguments { unsafe _ = fuse_opt_add_arg(&list, argument) }
        defer { unsafe fuse_opt_free_args(&list) }
        return unsafe body(&list)
    }
}
