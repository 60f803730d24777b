package import DbxModel
package import DbxSync
package import DbxWire

/// What `dbxfs status` shows and `--json` prints: one moment of one mount. A value; the daemon makes a new one per
/// request. Fields are added, never renamed: scripts read them.
package struct ClientStatus: Hashable, Sendable, Codable {
    package var version: String
    package var profile: String
    package var processID: Int32
    package var dataDirectory: String
    package var server: String
    package var user: String
    package var device: String
    package var mountPoint: String
    package var mountedAt: Timestamp
    package var connection: ConnectionStatus
    /// How much of the server's tree is known here.
    package var tree: TreeStatus
    package var pending: PendingStatus
    /// What rules of `.dbxfsignore` keep on this computer; no part of `pending`.
    package var localOnly: LocalOnlyStatus
    package var transfer: TransferStatus
    /// What the server has refused for good; each stays here until its cause is gone.
    package var refused: [RefusedItem]
    package var lastError: StatusError?
    package var cache: CacheStatus
    package var quota: Quota?
    package var counters: ClientCounters
    package var isPaused: Bool
    /// When the pause ends by itself.
    package var pausedUntil: Timestamp?
    /// Bytes per second; nil: no limit.
    package var uploadLimit: Int64?
    package var downloadLimit: Int64?
    /// The connection is metered: contents wait until somebody asks for them.
    package var isMetered = false
    /// What the mass-change guard holds back.
    package var held: GuardStatus?
    /// How many conflicts nobody has settled yet: `dbxfs conflicts` lists them.
    package var conflicts: Int
    /// What was saved from damaged states, until somebody dismisses it.
    package var recoveries: [Recovery]
    /// What is wrong with this computer's state now, and what to do: a sentence each.
    package var warnings: [String]
    /// How many files and folders are pinned, and which of these are in the tree no more.
    package var pins = 0
    package var pinsGone: [String] = []
    /// What the server has lost, when its data were put back to an older state, and this computer cannot send again.
    package var lostVersions: [LostVersion] = []
    /// The same for a person.
    package var losses: [String] { lostVersions.map(\.text) }
    /// Names that differ only by case or Unicode form, in groups; from the mounted directory, for display.
    package var collisions: [[String]]
    /// The tree is large: only part of it was searched for collisions.
    package var collisionsAreCut: Bool

    package init(
        version: String, profile: String, processID: Int32, dataDirectory: String, server: String, user: String,
        device: String, mountPoint: String, mountedAt: Timestamp, connection: ConnectionStatus, tree: TreeStatus,
        pending: PendingStatus, localOnly: LocalOnlyStatus, transfer: TransferStatus, refused: [RefusedItem],
        lastError: StatusError?, cache: CacheStatus,
        quota: Quota?, counters: ClientCounters, settings: TransferSettings, held: GuardStatus?, conflicts: Int,
        recoveries: [Recovery], warnings: [String], collisions: CollisionSearch
    ) {
        self.version = version
        self.profile = profile
        self.processID = processID
        self.dataDirectory = dataDirectory
        self.server = server
        self.user = user
        self.device = device
        self.mountPoint = mountPoint
        self.mountedAt = mountedAt
        self.connection = connection
        self.tree = tree
        self.pending = pending
        self.localOnly = localOnly
        self.transfer = transfer
        self.refused = refused
        self.lastError = lastError
        self.cache = cache
        self.quota = quota
        self.counters = counters
        isPaused = settings.isPaused
        pausedUntil = settings.isPaused ? settings.pausedUntil : nil
        uploadLimit = settings.uploadLimit
        downloadLimit = settings.downloadLimit
        self.held = held
        self.conflicts = conflicts
        self.recoveries = recoveries
        self.warnings = warnings
        self.collisions = collisions.groups.map { $0.map { String(decoding: $0, as: UTF8.self) } }
        collisionsAreCut = collisions.isCut
    }
}

package struct ConnectionStatus: Hashable, Sendable, Codable {
    package enum State: String, Hashable, Sendable, Codable {
        case connecting, connected
        /// The server does not answer; `detail` says why.
        case offline
        /// The server answers and refuses this device; `detail` says what to do.
        case refused
    }

    package var state: State
    package var since: Timestamp
    /// Why not connected, and what to do.
    package var detail: String?

    package init(state: State, since: Timestamp, detail: String? = nil) {
        self.state = state
        self.since = since
        self.detail = detail
    }
}

/// How much of the server's tree is known here.
package struct TreeStatus: Hashable, Sendable, Codable {
    /// Known files, folders and others, about.
    package var entries: Int
    /// Beyond so many nothing is listed that nobody looks into.
    package var limit: Int
    /// Whether the rest is being listed.
    package var isReading: Bool
    /// Whether every folder is known in whole.
    package var isComplete: Bool

    package init(entries: Int, limit: Int, isReading: Bool, isComplete: Bool) {
        self.entries = entries
        self.limit = limit
        self.isReading = isReading
        self.isComplete = isComplete
    }
}

/// What the server does not have yet.
package struct PendingStatus: Hashable, Sendable, Codable {
    /// Files, folders and names whose state here is newer.
    package var files: Int64
    /// Content still to go up.
    package var bytes: Int64
    /// When the oldest of them changed; nil when nothing is pending.
    package var oldest: Timestamp?

    package var isEmpty: Bool { files == 0 && bytes == 0 }

    package init(files: Int64, bytes: Int64, oldest: Timestamp?) {
        self.files = files
        self.bytes = bytes
        self.oldest = oldest
    }
}

/// What stays on this computer by a rule.
package struct LocalOnlyStatus: Hashable, Sendable, Codable {
    package var files: Int64
    package var bytes: Int64

    package init(files: Int64, bytes: Int64) {
        self.files = files
        self.bytes = bytes
    }
}

/// Rates over the last seconds.
package struct TransferStatus: Hashable, Sendable, Codable {
    package var uploadBytesPerSecond: Int64
    package var downloadBytesPerSecond: Int64
    /// Until everything pending is up at this rate; nil when nothing is pending or nothing moves.
    package var secondsLeft: Int64?

    package init(uploadBytesPerSecond: Int64, downloadBytesPerSecond: Int64, secondsLeft: Int64?) {
        self.uploadBytesPerSecond = uploadBytesPerSecond
        self.downloadBytesPerSecond = downloadBytesPerSecond
        self.secondsLeft = secondsLeft
    }
}

package struct RefusedItem: Hashable, Sendable, Codable {
    /// Relative to the mount point, for display.
    package var path: String
    package var reason: String
    package var remedy: String

    package init(path: String, reason: String, remedy: String) {
        self.path = path
        self.reason = reason
        self.remedy = remedy
    }
}

package struct StatusError: Hashable, Sendable, Codable {
    package var message: String
    package var at: Timestamp

    package init(message: String, at: Timestamp) {
        self.message = message
        self.at = at
    }
}

package struct CacheStatus: Hashable, Sendable, Codable {
    package var cachedBytes: Int64
    package var limitBytes: Int64
    /// Bytes in staging: on this disk only.
    package var stagingBytes: Int64

    package init(cachedBytes: Int64, limitBytes: Int64, stagingBytes: Int64) {
        self.cachedBytes = cachedBytes
        self.limitBytes = limitBytes
        self.stagingBytes = stagingBytes
    }
}

/// Counts since the daemon started; they only grow. Tests read them: what is promised is counted, not timed.
package struct ClientCounters: Hashable, Sendable, Codable {
    /// Requests of the kernel by kind: `lookup`, `getattr`, `read`, …
    package var fuse: [String: Int64]
    /// Notices to the kernel by kind: `entry`, `inode`.
    package var invalidations: [String: Int64]
    /// HTTP requests of every kind, the event stream's included.
    package var requests: Int64
    package var fetchedBlocks: Int64
    package var fetchedBytes: Int64
    package var uploadedBlocks: Int64
    /// Block bytes as sent, after compression and sealing.
    package var uploadedBytes: Int64
    /// Commits that the server has taken, and the rows in them by kind: `node`, `entry`, `segment`.
    package var commits: Int64
    package var commitRows: [String: Int64]
    /// Pages of changes applied.
    package var pulls: Int64
    /// Events for programs that watch the tree: `raised`, `failed`, `dropped`.
    package var changeEvents: [String: Int64]
    /// Writes whose answers were held back because they were ahead of uploads.
    package var heldWrites: Int64

    package init(
        fuse: [String: Int64] = [:], invalidations: [String: Int64] = [:], requests: Int64 = 0,
        fetchedBlocks: Int64 = 0, fetchedBytes: Int64 = 0, uploadedBlocks: Int64 = 0, uploadedBytes: Int64 = 0,
        commits: Int64 = 0, commitRows: [String: Int64] = [:], pulls: Int64 = 0, changeEvents: [String: Int64] = [:],
        heldWrites: Int64 = 0
    ) {
        self.fuse = fuse
        self.invalidations = invalidations
        self.requests = requests
        self.fetchedBlocks = fetchedBlocks
        self.fetchedBytes = fetchedBytes
        self.uploadedBlocks = uploadedBlocks
        self.uploadedBytes = uploadedBytes
        self.commits = commits
        self.commitRows = commitRows
        self.pulls = pulls
        self.changeEvents = changeEvents
        self.heldWrites = heldWrites
    }
}
