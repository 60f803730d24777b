internal import CFuse3
internal import Glibc

extension FuseConnection {
    /// Takes and runs requests until the mount or the session ends.
    func serve() {
        var buffer = unsafe fuse_buf()
        // libfuse allocates the buffer at the first call, for the largest request there is.
        defer { unsafe free(buffer.mem) }
        let state = FuseThreadState.current
        while unsafe fuse_session_exited(session) == 0 {
            let count = unsafe fuse_session_receive_buf(session, &buffer)
            if count == -EINTR { continue }
            guard count > 0 else { break }
            // Safe: libfuse has put `count` bytes at `mem`.
            let header = unsafe FuseProtocolHeader(UnsafeRawBufferPointer(start: buffer.mem, count: Int(count)))
            if header.createsTemporaryFile { unsafe FuseProtocolHeader.turnIntoCreation(buffer.mem) }
            state.clearsSetID = header.clearsSetID
            if header.isInitialization {
                state.offeredFlags = header.initializationFlags
                unsafe fuse_session_process_buf(session, &buffer)
                state.addedFlags = 0
            } else {
                unsafe fuse_session_process_buf(session, &buffer)
            }
            state.runInterruptions()
        }
    }

    /// Whether the mount still stands: the device reports an error once it is gone.
    var isMounted: Bool {
        var device = pollfd()
        device.fd = unsafe fuse_session_fd(session)
        guard device.fd >= 0 else { return false }
        return unsafe poll(&device, 1, 0) != 1 || device.revents & Int16(POLLERR) == 0
    }

    /// Lets go of the device: once no call is in it any more, what still waits for this mount ends with ENOTCONN.
    /// Answers from now on go nowhere.
    ///
    /// The descriptor's number stays taken, by /dev/null, because answers may come from any thread later; libfuse
    /// closes it when the session is freed.
    func disconnect() {
        let descriptor = unsafe fuse_session_fd(session)
        guard descriptor >= 0 else { return }
        let nowhere = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
        guard nowhere >= 0 else { return }
        dup2(nowhere, descriptor)
        close(nowhere)
    }
}
