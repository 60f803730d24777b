internal import CFuse3
internal import Glibc

// libfuse 3.14 does not know every flag of the protocol. What the kernel offers is read from its INIT request, and what
// is agreed besides libfuse's own is added to the answer on its way out.
extension FuseConnection {
    /// Puts a function between libfuse's answers and the mounted device. False when libfuse refuses.
    func useOwnOutput() -> Bool {
        var io = fuse_custom_io()
        unsafe io.read = { device, buffer, count, _ in unsafe read(device, buffer, count) }
        unsafe io.writev = { device, parts, count, _ in
            let state = FuseThreadState.current
            if state.addedFlags != 0, count == 2, let parts = unsafe parts {
                // Safe: the second part is libfuse's `fuse_init_out`, alive and ours to change during the call.
                unsafe FuseProtocolHeader.add(state.addedFlags, toInitialization: parts[1])
            }
            return unsafe writev(device, parts, count)
        }
        return unsafe fuse_session_custom_io(session, &io, fuse_session_fd(session)) == 0
    }

    /// Agrees with the kernel on what both can do, asking the file system last.
    func negotiate(_ info: inout fuse_conn_info) {
        let state = FuseThreadState.current
        var offered = FuseCapabilities(rawValue: info.capable).subtracting(.clearsPrivileges)
        if state.offeredFlags & FuseProtocolHeader.handlesPrivileges != 0 { offered.insert(.clearsPrivileges) }
        var terms = FuseConnectionInfo(
            protocolMinor: info.proto_minor, offered: offered, wanted: options.capabilities.intersection(offered),
            maximumWriteBytes: options.maximumWriteBytes,
            maximumReadAheadBytes: options.maximumReadAheadBytes,
            maximumBackground: options.maximumBackground)
        operations.initialize(&terms)
        let agreed = terms.wanted.intersection(offered)
        if agreed.contains(.clearsPrivileges) { state.addedFlags = FuseProtocolHeader.handlesPrivileges }
        // In place of libfuse's own wishes, among them splice: replies from a buffer are faster here (DESIGN §5.2).
        info.want = agreed.subtracting(.clearsPrivileges).rawValue
        info.max_write = min(info.max_write, terms.maximumWriteBytes)
        info.max_readahead = terms.maximumReadAheadBytes
        info.max_background = terms.maximumBackground
        info.congestion_threshold = terms.maximumBackground * 3 / 4
    }
}
