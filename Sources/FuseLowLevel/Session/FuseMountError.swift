internal import CFuse3
internal import Glibc

/// Why a mount or unmount failed, with a text for people.
package struct FuseMountError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        /// The mount point does not exist.
        case missing
        /// The mount point is no directory.
        case notADirectory
        /// A dead FUSE mount sits on the mount point: unmount it first.
        case stale
        /// /dev/fuse is missing or may not be opened.
        case noDevice
        /// fusermount3 is not installed, and the caller is not root.
        case noHelper
        /// `allowOther` without `user_allow_other` in /etc/fuse.conf.
        case allowOtherDenied
        /// libfuse refused the options.
        case options
        /// Open files or working directories are in the way of an unmount.
        case busy
        /// Nothing of ours is mounted there any more.
        case notMounted
        case failed
    }

    package let reason: Reason
    package let text: String

    package init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }

    package var description: String { text }
}

extension FuseMountError {
    /// From the `text` of libfuse or fusermount3 when a mount failed.
    static func explaining(
        _ text: String, _ mountPoint: String, _ options: FuseMountOptions
    ) -> FuseMountError {
        if unsafe access("/dev/fuse", R_OK | W_OK) != 0 {
            return FuseMountError(.noDevice, "/dev/fuse: \(describe(errno)): is the kernel's fuse module loaded?")
        }
        let said = text.split(separator: "\n").joined(separator: "; ")
        if options.allowOther && said.contains("allow_other") {
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
