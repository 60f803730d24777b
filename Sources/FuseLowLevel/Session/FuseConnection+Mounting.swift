internal import CFuse3
internal import Glibc

extension FuseConnection {
    /// Mounts at `mountPoint`, with fusermount3's help where the caller is not root.
    func mount(at mountPoint: String) throws(FuseMountError) {
        try Self.check(mountPoint)
        let (result, text) = FuseLog.capture { unsafe fuse_session_mount(session, mountPoint) }
        guard result != 0 else { return }
        throw Self.explain(text, mountPoint, options)
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

    private static func explain(
        _ text: String, _ mountPoint: String, _ options: FuseMountOptions
    ) -> FuseMountError {
        if unsafe access("/dev/fuse", R_OK | W_OK) != 0 {
            return FuseMountError(.noDevice, "/dev/fuse: \(describe(errno)): is the kernel's fuse module loaded?")
        }
        if geteuid() != 0 && FuseHelper.path == nil {
            return FuseMountError(.noHelper, "fusermount3 is not installed (Debian's package fuse3)")
        }
        let said = text.split(separator: "\n").joined(separator: "; ")
        if options.allowOther && (geteuid() != 0 || said.contains("allow_other")) {
            return FuseMountError(
                .allowOtherDenied,
                "allow_other needs the line user_allow_other in /etc/fuse.conf (\(said))")
        }
        return FuseMountError(.failed, "cannot mount on \(mountPoint): \(said.isEmpty ? "refused" : said)")
    }
}

/// The text of an errno value.
func describe(_ code: Int32) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { text in
        unsafe dbxfs_fuse_describe(code, text.baseAddress, text.count)
        let bytes = unsafe text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
