internal import CFuse3
internal import Glibc

/// Takes a mount away, whoever serves it.
package enum FuseUnmount {
    /// Nil when it is gone. `lazily` takes it out of the tree at once, whatever is open there.
    package static func run(_ mountPoint: String, lazily: Bool) -> FuseMountError? {
        let flags = Int32(lazily ? MNT_DETACH : 0) | Int32(UMOUNT_NOFOLLOW)
        if geteuid() == 0 {
            if unsafe umount2(mountPoint, flags) == 0 { return nil }
            return error(errno, mountPoint)
        }
        guard let (status, text) = FuseHelper.run(["-u"] + (lazily ? ["-z"] : []) + ["--", mountPoint]) else {
            return FuseMountError(.noHelper, "fusermount3 is not installed (Debian's package fuse3)")
        }
        if status == 0 { return nil }
        if text.contains("busy") { return error(EBUSY, mountPoint) }
        if text.contains("not found") || text.contains("Invalid argument") { return error(EINVAL, mountPoint) }
        return FuseMountError(.failed, "cannot unmount \(mountPoint): \(text)")
    }

    private static func error(_ code: Int32, _ mountPoint: String) -> FuseMountError {
        switch code {
        case EBUSY:
            FuseMountError(.busy, "\(mountPoint) is in use: a program has files open there or works in it")
        case EINVAL, ENOENT: FuseMountError(.notMounted, "nothing is mounted on \(mountPoint)")
        default: FuseMountError(.failed, "cannot unmount \(mountPoint): \(describe(code))")
        }
    }
}
