package import DbxWire

/// What `dbxfs` commands say to the daemon of a mount: one JSON line there, JSON lines back on one connection of a unix
/// stream socket that only its owner may open.
///
/// `status` is answered once. `sync` and `unmount` send `progress` lines while they wait, then one final line.
package struct ControlRequest: Hashable, Sendable, Codable {
    package enum Command: Hashable, Sendable, Codable {
        case status
        /// Answered when everything changed here before is durable on the server.
        case sync
        /// Detaches the mount and ends the daemon; fails when files are in use.
        case unmount
        /// As `unmount`, but first and last as `sync`.
        case unmountWhenSynced
        /// Ends the daemon as SIGTERM does: the mount is detached even when in use, what is pending stays for later.
        case shutdown
        /// How files and folders stand, by their paths from the mounted directory.
        case states([Base64])
        /// The newest `limit` records of what sync did after the one of this number; waits up to `waitSeconds` for the
        /// first.
        case activity(after: Int64, limit: Int, waitSeconds: Int)
        /// Changes pause and limits of rates; answered with what holds then.
        case transfer(TransferChange)
        /// Conflicts that nobody has settled yet.
        case conflicts
        /// Settles the one of this path, that of either version.
        case resolve(Base64, ConflictChoice)
        /// Where texts are merged: at the path, after a choice for it where one is given; without a path all that folders say.
        case merging(Base64?, MergeChoice?)
        /// Which rules decide about paths from the mounted directory.
        case ignored([Base64])
        /// Takes what rules speak of at and below the path from the server, and keeps it here; or only says what that is.
        case applyIgnore(Base64, dryRun: Bool)
        /// What the mass-change guard holds back, after an answer where one is given.
        case guarded(GuardAnswer?)
        /// What is pinned, and how much of it is here.
        case pins
        case pin([Base64])
        case unpin([Base64])
        /// Answered when all of it is here; sends `fetching` while it waits.
        case warmUp([Base64])
        case evict([Base64])
        /// What takes the cache's room.
        case cache
    }

    /// Raised when a change breaks older readers; the daemon refuses any other.
    package static let currentVersion = 2

    package var version: Int
    package var command: Command

    package init(_ command: Command) {
        version = Self.currentVersion
        self.command = command
    }
}

/// One line of the daemon's answer.
package enum ControlAnswer: Hashable, Sendable, Codable {
    case progress(PendingStatus)
    case status(ClientStatus)
    case states([PathStatus])
    case activity([ActivityRecord])
    case transfer(TransferSettings)
    case conflicts([ConflictStatus])
    case guarded(GuardStatus?)
    case merging([MergeStatus])
    case ignored([IgnoreStatus])
    case ignoreApplied(IgnoreReport)
    case pins([PinStatus])
    case fetching(FetchProgress)
    case warmedUp(FetchProgress)
    case evicted(EvictReport)
    case cache(CacheReport)
    case done
    case failed(ClientFailure)

    package var isFinal: Bool {
        switch self {
        case .progress, .fetching: false
        default: true
        }
    }
}

/// What the daemon does for the control socket. Called on the socket's own threads, several at once; may block.
package protocol ControlHandling: Sendable {
    func status() -> ClientStatus

    /// Returns when everything changed before the call is durable on the server. Calls `report` about once a second
    /// and gives up without an error when that returns false (the caller is gone). Throws when it cannot succeed:
    /// `.unreachable` once the server is known to be away, `.notLoggedIn`, or `.busy` naming what is refused.
    func sync(report: (PendingStatus) -> Bool) throws(ClientFailure)

    /// Whether what is pending would be lost with the daemon.
    var keepsNothing: Bool { get }

    /// Throws where there is no such path.
    func states(of paths: [[UInt8]]) throws(ClientFailure) -> [PathStatus]

    func activity(after number: Int64, limit: Int, patience: Duration) -> [ActivityRecord]

    /// Takes effect at once and holds over restarts.
    func change(_ change: TransferChange) throws(ClientFailure) -> TransferSettings

    /// Nil where nothing is held back. Throws where there is nothing to answer.
    func guarded(_ answer: GuardAnswer?) throws(ClientFailure) -> GuardStatus?

    func conflicts() throws(ClientFailure) -> [ConflictStatus]

    /// `path`: from the mounted directory. Throws where there is no conflict, or the choice cannot be carried out.
    func resolve(_ path: [UInt8], _ choice: ConflictChoice) throws(ClientFailure)

    /// `path`: from the mounted directory; nil for all folders that say something. Throws where it is no folder.
    func merging(at path: [UInt8]?, _ choice: MergeChoice?) throws(ClientFailure) -> [MergeStatus]

    /// Paths need not exist.
    func ignored(_ paths: [[UInt8]]) throws(ClientFailure) -> [IgnoreStatus]

    /// Returns when everything is here only, and its removal from the server on its way.
    func applyIgnore(at path: [UInt8], dryRun: Bool) throws(ClientFailure) -> IgnoreReport

    func pins() throws(ClientFailure) -> [PinStatus]

    /// Throws where there is no such path; then nothing of it is done.
    func pin(_ paths: [[UInt8]]) throws(ClientFailure) -> [PinStatus]
    func unpin(_ paths: [[UInt8]]) throws(ClientFailure)

    /// Returns when all of it is here. Calls `report` about once a second and gives up without an error when that returns
    /// false.
    func warmUp(_ paths: [[UInt8]], report: (FetchProgress) -> Bool) throws(ClientFailure) -> FetchProgress

    /// Leaves what is pinned or pending.
    func evict(_ paths: [[UInt8]]) throws(ClientFailure) -> EvictReport

    func cacheReport() throws(ClientFailure) -> CacheReport

    /// Makes the daemon end as SIGTERM does; returns at once.
    func shutdown()
}
