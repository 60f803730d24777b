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
        /// It is no FUSE mount, or the kernel cannot be asked: not root, and /sys/fs/fuse/connections is not mounted or
        /// not the caller's.
        case refused
    }

    /// Makes the kernel end all that waits for the mount. Asks the mount itself nothing.
    ///
    /// Needed after a daemon was killed: a thread of it that was in the kernel with a notice, waiting for a page or
    /// directory that a request to the daemon itself has locked, neither dies nor lets go of the device, so that the
    /// mount hangs instead of failing.
    package static func abort(_ mountPoint: String) -> Abortion {
        guard let number = connection(at: mountPoint) else { return .refused }
        if abort(connection: number) { return .aborted }
        guard geteuid() == 0 else { return .refused }
        // This ends the connection whether or not it can unmount.
        if unsafe umount2(mountPoint, Int32(MNT_FORCE) | Int32(UMOUNT_NOFOLLOW)) == 0 { return .unmounted }
        return errno == EBUSY ? .aborted : .refused
    }

    static func abort(connection number: Int) -> Bool {
        let control = unsafe open("/sys/fs/fuse/connections/\(number)/abort", O_WRONLY | O_CLOEXEC)
        guard control >= 0 else { return false }
        defer { close(control) }
        return unsafe write(control, "1", 1) == 1
    }

    /// The kernel's number of the FUSE connection that is mounted here and now; nil when none is.
    static func connection(at mountPoint: String) -> Int? {
        let number = unsafe dbxfs_fuse_connection_number(mountPoint)
        guard number >= 0, let mounts = contents(of: "/proc/self/mountinfo") else { return nil }
        // "36 35 0:42 / /mnt rw,nosuid - fuse.dbxfs dbxfs rw": device in the third field, type after the dash.
        for line in mounts.split(separator: 0x0A) {
            let fields = line.split(separator: 0x20)
            guard fields.count > 3, let dash = fields.firstIndex(of: [0x2D]), dash + 1 < fields.count else { continue }
            if fields[2].elementsEqual("0:\(number)".utf8) {
                return fields[dash + 1].starts(with: "fuse".utf8) ? number : nil
            }
        }
        return nil
    }

    private static func contents(of path: String) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = unsafe read(file, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? text : nil }
            text += chunk[..<count]
        }
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
