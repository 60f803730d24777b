internal import CFuse3
internal import Glibc

extension FuseConnection {
    /// Mounts at `mountPoint`, with fusermount3's help where the caller is not root.
    func mount(at mountPoint: String) throws(FuseMountError) {
        try Self.check(mountPoint)
        if geteuid() == 0 {
            try attach(mountPoint, mountPoint)
        } else {
            let device = try FuseHelper.mount(mountPoint, options)
            // libfuse takes a descriptor that is mounted already by this name, and owns it from here on.
            try attach("/dev/fd/\(device)", mountPoint)
        }
        guard useOwnOutput() else {
            _ = FuseUnmount.run(mountPoint, lazily: true)
            throw FuseMountError(.failed, "libfuse refuses its input and output functions")
        }
        number = FuseUnmount.connection(at: mountPoint)
    }

    private func attach(_ place: String, _ mountPoint: String) throws(FuseMountError) {
        let (result, text) = FuseLog.capture { unsafe fuse_session_mount(session, place) }
        guard result == 0 else { throw FuseMountError.explaining(text, mountPoint, options) }
    }

    private static func check(_ mountPoint: String) throws(FuseMountError) {
        var attributes = stat()
        guard unsafe stat(mountPoint, &attributes) != 0 else {
            guard attributes.st_mode & S_IFMT == S_IFDIR else {
                throw FuseMountError(.notADirectory, "\(mountPoint) is not a directory")
            }
            return
        }
        switch errno {
        case ENOENT: throw FuseMountError(.missing, "\(mountPoint) does not exist")
        case ENOTDIR: throw FuseMountError(.notADirectory, "\(mountPoint) does not lie in a directory")
        case ENOTCONN:
            throw FuseMountError(
                .stale, "a mount whose program has ended sits on \(mountPoint): run fusermount3 -u \(mountPoint)")
        case let code:
            throw FuseMountError(.failed, "\(mountPoint): \(describe(code))")
        }
    }
}
