package import DbxModel
package import DbxWire

/// A pinned file or folder as `dbxfs pin` shows it. A value. Fields are added, never renamed: scripts read them.
package struct PinStatus: Hashable, Sendable, Codable {
    /// From the mounted directory, for display; empty for that itself. Of what is gone: where it was.
    package var path: String
    /// Where it is no UTF-8.
    package var path64: Base64?
    package var since: Timestamp
    /// It is in the tree no more: it was deleted, here or elsewhere.
    package var isGone = false
    package var files = 0
    package var bytes: Int64 = 0
    /// Of `bytes`, what can be read without the server.
    package var hereBytes: Int64 = 0
    /// What keeps the rest from coming: no room, or what the server said.
    package var problem: String?

    package var isComplete: Bool { !isGone && hereBytes == bytes }

    init(path: [UInt8], since: Timestamp) {
        let text = String(validating: path, as: UTF8.self)
        self.path = text ?? String(decoding: path, as: UTF8.self)
        path64 = text == nil ? Base64(path) : nil
        self.since = since
    }
}

/// How far fetching of files and folders has come. A value; fields are added, never renamed.
package struct FetchProgress: Hashable, Sendable, Codable {
    package var files = 0
    package var bytes: Int64 = 0
    package var hereBytes: Int64 = 0
    package var bytesPerSecond: Int64 = 0

    package var secondsLeft: Int64? {
        bytesPerSecond > 0 && hereBytes < bytes ? (bytes - hereBytes) / bytesPerSecond + 1 : nil
    }
}

/// What `dbxfs evict` gave back. A value; fields are added, never renamed.
package struct EvictReport: Hashable, Sendable, Codable {
    package var files = 0
    package var bytes: Int64 = 0
    /// What stays: pinned, and not on the server yet.
    package var pinnedBytes: Int64 = 0
    package var pendingBytes: Int64 = 0
}

/// What `dbxfs cache` shows. A value; fields are added, never renamed.
package struct CacheReport: Hashable, Sendable, Codable {
    package struct Folder: Hashable, Sendable, Codable {
        /// In the mounted directory, for display; nil for what has no name (any more).
        package var path: String?
        package var cachedBytes: Int64
        package var pinnedBytes: Int64
        package var pendingBytes: Int64
    }

    package var cachedBytes: Int64
    package var limitBytes: Int64
    package var pinnedBytes: Int64
    package var pendingBytes: Int64
    /// Of the disk that they are on, and what of that is never used.
    package var diskFreeBytes: Int64
    package var diskFloorBytes: Int64
    /// The largest first.
    package var folders: [Folder]
}
