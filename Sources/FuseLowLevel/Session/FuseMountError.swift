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
