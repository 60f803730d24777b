package import DbxModel

/// What the mass-change guard holds back, as `dbxfs guard` and `dbxfs status` show it. A value. Fields are added, never
/// renamed: scripts read them.
package struct GuardStatus: Hashable, Sendable, Codable {
    /// Files and folders that would be deleted or rewritten on the server.
    package var changes: Int
    package var since: Timestamp
    /// The server's state is on its way back.
    package var isUndoing: Bool

    package init(changes: Int, since: Timestamp, isUndoing: Bool) {
        self.changes = changes
        self.since = since
        self.isUndoing = isUndoing
    }
}

/// What a person decides about them.
package enum GuardAnswer: String, Hashable, Sendable, Codable {
    /// They go to the server.
    case confirm
    /// They are taken back here.
    case undo
}
