package import DbxModel

/// `transfer.json` of a profile: whether it syncs, how fast, and over what; what `dbxfs pause`, `resume` and `limit` change. Kept
/// over restarts. A value; `load` and `save` are its only I/O, by the daemon or, where none runs, by the command that
/// holds the profile's lock.
package struct TransferSettings: Hashable, Sendable, Codable {
    package var isPaused: Bool
    /// When a pause ends by itself; nil: never.
    package var pausedUntil: Timestamp?
    /// Bytes per second; nil: as fast as it goes.
    package var uploadLimit: Int64?
    package var downloadLimit: Int64?
    /// Nil: `auto`.
    package var metered: MeteredMode?

    /// Below it a read of one block would take longer than a read may.
    package static let smallestLimit: Int64 = 64 << 10

    package init(
        isPaused: Bool = false, pausedUntil: Timestamp? = nil, uploadLimit: Int64? = nil, downloadLimit: Int64? = nil
    ) {
        self.isPaused = isPaused
        self.pausedUntil = pausedUntil
        self.uploadLimit = uploadLimit
        self.downloadLimit = downloadLimit
    }

    package func isPaused(at now: Timestamp) -> Bool { isPaused && (pausedUntil.map { now < $0 } ?? true) }

    package static func load(for profile: Profile) throws(ClientFailure) -> TransferSettings {
        try PrivateFile.read(TransferSettings.self, at: profile.transferFile) ?? TransferSettings()
    }

    package func save(for profile: Profile) throws(ClientFailure) {
        try PrivateFile.write(self, at: profile.transferFile)
    }
}

/// One wish to change them; nil leaves a part alone.
package struct TransferChange: Hashable, Sendable, Codable {
    package enum Pause: Hashable, Sendable, Codable {
        case off
        /// Until then; nil: until somebody resumes.
        case on(until: Timestamp?)
    }

    package enum Limit: Hashable, Sendable, Codable {
        case none
        case bytesPerSecond(Int64)

        var value: Int64? {
            if case .bytesPerSecond(let value) = self { value } else { nil }
        }
    }

    package var pause: Pause?
    package var upload: Limit?
    package var download: Limit?
    package var metered: MeteredMode?

    package init(
        pause: Pause? = nil, upload: Limit? = nil, download: Limit? = nil, metered: MeteredMode? = nil
    ) {
        self.pause = pause
        self.upload = upload
        self.download = download
        self.metered = metered
    }

    package func applied(to settings: TransferSettings) -> TransferSettings {
        var changed = settings
        switch pause {
        case .off:
            changed.isPaused = false
            changed.pausedUntil = nil
        case .on(let until):
            changed.isPaused = true
            changed.pausedUntil = until
        case nil: break
        }
        if let upload { changed.uploadLimit = upload.value }
        if let download { changed.downloadLimit = download.value }
        if let metered { changed.metered = metered }
        return changed
    }

    /// In the daemon where one serves the profile, else in its file. Returns what holds now.
    package func perform(on profile: Profile) throws(ClientFailure) -> TransferSettings {
        if let holder = ProfileLock.holder(of: profile), holder.mountPoint != nil {
            guard case .transfer(let settings) = try ControlClient.ask(.transfer(self), of: profile) else {
                throw ControlClient.broken("it answered something else")
            }
            return settings
        }
        _ = try ProfileSettings.load(for: profile)
        let lock = try ProfileLock.take(profile, mountPoint: nil)
        defer { withExtendedLifetime(lock) {} }
        let settings = applied(to: try TransferSettings.load(for: profile))
        try settings.save(for: profile)
        return settings
    }
}
