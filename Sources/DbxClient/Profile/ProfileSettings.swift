package import DbxSync
import Foundation

/// `config.json` of a profile: what a person chose. A value; `load` and `save` are its only I/O.
package struct ProfileSettings: Hashable, Sendable, Codable {
    /// `https://host[:port]`, or `http://` to this machine.
    package var server: String
    package var user: String
    /// How this device is called in lists and in the names of conflicted copies.
    package var device: String
    /// Where this profile was mounted last.
    package var mountPoint: String?
    /// How much of the disk copies of what the server has may take.
    package var cacheLimitBytes: Int64
    /// How much may wait here for its upload before writers are slowed down.
    package var dirtyLimitBytes: Int64?
    /// After so long a read that waits for the server fails.
    package var readTimeoutSeconds: Int?
    /// Beyond so many known entries directories are listed only when somebody looks into them; nil: 2,000,000.
    package var treeLimit: Int?
    /// What becomes of two versions of one file; nil: both are kept.
    package var conflictPolicy: ConflictPolicy?

    /// From how many deletions and rewrites of old files on they are held back; nil: 1,000.
    package var guardMinimum: Int?
    /// And from which part of the namespace on, from 0 to 1; nil: a quarter.
    package var guardShare: Double?
    /// How old a file has to be for that, in seconds; nil: a day.
    package var guardAgeSeconds: Int?

    /// Whether programs that watch the folder learn of remote changes; nil: they do.
    package var changeEvents: Bool?

    /// Programs whose reads fetch nothing; nil: `IdleReaders.usual`.
    package var idleReaders: [String]?

    package static let defaultCacheLimitBytes: Int64 = 10 << 30

    package init(
        server: String, user: String, device: String, mountPoint: String? = nil,
        cacheLimitBytes: Int64 = defaultCacheLimitBytes
    ) {
        self.server = server
        self.user = user
        self.device = device
        self.mountPoint = mountPoint
        self.cacheLimitBytes = cacheLimitBytes
    }

    /// Nil where the name is none; the names are in the error's remedy of who asks.
    package static func conflictPolicy(named name: String) -> ConflictPolicy? { ConflictPolicy(rawValue: name) }

    /// Throws `.notLoggedIn` where the profile has none.
    package static func load(for profile: Profile) throws(ClientFailure) -> ProfileSettings {
        guard let settings = try PrivateFile.read(ProfileSettings.self, at: profile.configFile) else {
            throw .notLoggedIn(profile)
        }
        return settings
    }

    package func save(for profile: Profile) throws(ClientFailure) {
        try PrivateFile.write(self, at: profile.configFile)
    }
}

extension ClientFailure {
    package static func notLoggedIn(_ profile: Profile) -> ClientFailure {
        let option = profile.name == "default" ? "" : " --profile \(profile.name)"
        return ClientFailure(
            .notLoggedIn, "Profile “\(profile.name)” is not logged in",
            remedy: "Run: dbxfs login https://SERVER --user NAME\(option)")
    }
}
