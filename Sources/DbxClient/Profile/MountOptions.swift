/// Everything `dbxfs mount` tells the daemon.
package struct MountOptions: Hashable, Sendable {
    package var profile: Profile
    package var settings: ProfileSettings
    /// Absolute and resolved; checked by `MountPoint.prepare`.
    package var mountPoint: String
    /// Other users may enter the mount; `/etc/fuse.conf` must allow it.
    package var allowOther: Bool

    package init(profile: Profile, settings: ProfileSettings, mountPoint: String, allowOther: Bool) {
        self.profile = profile
        self.settings = settings
        self.mountPoint = mountPoint
        self.allowOther = allowOther
    }
}
