internal import CFuse3
internal import Glibc

/// A callback of libfuse, decoded as far as all have in common. Lives for the time of the callback.
@safe struct FuseCall {
    let connection: FuseConnection
    private let pointer: OpaquePointer

    init(_ request: OpaquePointer?) {
        guard let request = unsafe request, let userdata = unsafe fuse_req_userdata(request) else {
            preconditionFailure("libfuse called back without a request")
        }
        // Safe: `userdata` is the connection, which the worker that runs this callback keeps alive.
        connection = unsafe Unmanaged<FuseConnection>.fromOpaque(userdata).takeUnretainedValue()
        unsafe pointer = request
    }

    var operations: any FuseOperations { connection.operations }

    var context: FuseContext {
        guard let context = unsafe fuse_req_ctx(pointer) else { return FuseContext(uid: 0, gid: 0, pid: 0, umask: 0) }
        let value = unsafe context.pointee
        return FuseContext(uid: value.uid, gid: value.gid, pid: value.pid, umask: value.umask)
    }

    /// The context of a request that may have to drop set-id bits.
    var writingContext: FuseContext {
        var context = context
        context.clearsSetID = FuseThreadState.current.clearsSetID
        return context
    }

    /// To be called once per callback: the answer that is owed.
    func request() -> FuseRequest { unsafe FuseRequest(pointer, of: connection) }

    func readReply(_ inode: FuseInode) -> FuseReplyData {
        FuseReplyData(unsafe FuseRequest(pointer, of: connection, reading: inode))
    }

    func reply<Kind>() -> FuseReply<Kind> { FuseReply(request()) }

    func endForget() { unsafe fuse_reply_none(pointer) }
}

/// The bytes of a C string, without its end; lent as long as the string.
func bytes(_ text: UnsafePointer<CChar>?) -> UnsafeBufferPointer<UInt8> {
    guard let text = unsafe text else { return unsafe UnsafeBufferPointer(start: nil, count: 0) }
    return unsafe bytes(text, strlen(text))
}

func bytes(_ start: UnsafePointer<CChar>?, _ count: Int) -> UnsafeBufferPointer<UInt8> {
    // Safe: CChar and UInt8 have one layout.
    let start = unsafe UnsafeRawPointer(start)?.assumingMemoryBound(to: UInt8.self)
    return unsafe UnsafeBufferPointer(start: start, count: start == nil ? 0 : count)
}

func handle(_ info: UnsafeMutablePointer<fuse_file_info>?) -> FuseHandle? {
    guard let info = unsafe info else { return nil }
    return unsafe FuseHandle(rawValue: info.pointee.fh)
}

/// The handle of a request that always has one.
func openHandle(_ info: UnsafeMutablePointer<fuse_file_info>?) -> FuseHandle {
    unsafe handle(info) ?? FuseHandle(rawValue: 0)
}

func flags(_ info: UnsafeMutablePointer<fuse_file_info>?) -> Int32 {
    guard let info = unsafe info else { return 0 }
    return unsafe info.pointee.flags
}
