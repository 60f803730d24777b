internal import CFuse3
internal import Glibc

/// Takes a mount away, whoever serves it.
package enum FuseUnmount {
    /// Nil when it is gone. `lazily` takes it out of the tree at once, whatever is open there.
    package static func run(_ mountPoint: String, lazily: Bool) -> FuseMountError? {
        if geteuid() == 0 {
            let flags = Int32(lazily ? MNT_DETACH : 0) | Int32(UMOUNT_NOFOLLOW)
            return unsafe umount2(mountPoint, flags) == 0 ? nil : error(errno, mountPoint)
        }
        do throws(FuseMountError) {
            let (status, text) = try FuseHelper.unmount(mountPoint, lazily: lazily)
            if status == 0 { return nil }
            if text.contains("busy") { return error(EBUSY, mountPoint) }
            if text.contains("not found") || text.contains("Invalid argument") { return error(EINVAL, mountPoint) }
            return FuseMountError(.failed, "cannot unmount \(mountPoint): \(text)")
        } catch {
            return error
        }
    }

    package enum Abortion: Sendable {
        /// The mount stands and answers ENOTCONN.
        case aborted
        /// Nobody used it, and it is gone.
        case unmounted
        /// The kernel cannot be asked: not root, and /sys/fs/fuse/connections is not mounted or not the caller's.
        case refused
    }

    /// Makes the kernel end all that waits for the mount.
    ///
    /// Needed after a daemon was killed: a thread of it that was in the kernel with a notice, waiting for a page or
    /// directory that a request to the daemon itself has locked, neither dies nor lets go of the device, so that the
    /// mount hangs instead of failing. Asks the mount itself nothing.
    package static func abort(_ mountPoint: String) -> Abortion {
        let number = unsafe dbxfs_fuse_connection_number(mountPoint)
        if number >= 0 {
            let control = unsafe open("/sys/fs/fuse/connections/\(number)/abort", O_WRONLY | O_CLOEXEC)
            if control >= 0 {
                defer { close(control) }
                if unsafe write(control, "1", 1) == 1 { return .aborted }
            }
        }
        guard geteuid() == 0 else { return .refused }
        // This ends the connection whether or not it can unmount.
        if unsafe umount2(mountPoint, Int32(MNT_FORCE) | Int32(UMOUNT_NOFOLLOW)) == 0 { return .unmounted }
        return errno == EBUSY ? .aborted : .refused
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
