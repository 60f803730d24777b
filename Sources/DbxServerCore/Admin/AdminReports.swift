package import DbxModel

/// One user, as administrators see them.
package struct UserSummary: Hashable, Sendable, Codable {
    package let id: UserID
    package let name: String
    package let disabled: Bool
    package let createdAt: Timestamp
    /// Devices that are not revoked.
    package let devices: Int
    package let usedBytes: Int64
    package let limitBytes: Int64?
}

/// What the server holds. Live bytes are those that current content refers to; nothing is freed before garbage
/// collection exists.
package struct ServerStatus: Hashable, Sendable, Codable {
    package let users: Int
    package let devices: Int
    package let nodes: Int
    package let liveBlocks: Int
    package let liveBytes: Int64
    package let storedBlocks: Int
    package let storedBytes: Int64
    package let freeBytes: Int64
}

package struct BackupReport: Hashable, Sendable, Codable {
    package let objects: Int
    package let bytes: Int64
    /// Without this file the backup opens for nobody.
    package let keyFile: String
    package let keyIncluded: Bool
}

package struct RestoreReport: Hashable, Sendable, Codable {
    package let objects: Int
    package let bytes: Int64
    /// Blocks that rows name and the backup does not hold.
    package let missingBlocks: Int
}
