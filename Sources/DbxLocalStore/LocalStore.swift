package import DbxModel
import DbxSystem
import GRDB
package import Synchronization

/// The client's copy of the tree, what waits for its upload, and the block cache (DESIGN §5.1).
///
/// Not thread-safe and without threads: `SharedStore` serialises. Every operation is whole or did not happen; once it has
/// returned, a killed process loses nothing of it. What a power cut loses is docs/DURABILITY.md's subject.
package final class LocalStore {
    package let configuration: StoreConfiguration
    package let segments: SegmentFiles
    package internal(set) var statistics = StoreStatistics()
    /// Counts how often freed pages were made available again. A reader that copies bytes without the lock compares it
    /// before and after: unchanged, nothing it read can have been overwritten by something else.
    package let reuseGeneration = Atomic<UInt64>(0)

    let time: any TimeSource
    let entropy: any Entropy
    let database: StoreDatabase
    let stagingLog: StagingLog
    let places: StorePlaces
    private let lockFile: OpenFile
    /// Names the machine's boot.
    let boot: [UInt8]
    private var isInTransaction = false

    // What is hot is kept in memory, written through, and thrown away when a transaction fails.
    var nodes: [InodeNumber: LocalNode] = [:]
    /// Where nodes were last found by their ids: believed of those that are in `nodes`.
    var numbers: [NodeID: InodeNumber] = [:]
    var names: [NameKey: InodeNumber?] = [:]
    var stretches: [StretchKey: [LocalExtent]] = [:]
    var space = SpaceMap()
    var cachedBlocks = CacheIndex()
    var evictionClock = EvictionClock()
    /// Blocks that are never evicted.
    var pinnedBlocks: Set<BlockNumber> = []
    /// Nor these: the server has lost them, and they are to go up again.
    var keptBlocks: Set<BlockNumber> = []
    var reservations: [InodeNumber: StagingReservation] = [:]
    /// Segments that were gone or cut off when the store was opened.
    package internal(set) var restoredSegments: Set<Int32> = []
    /// In-place ranges that are handed out, and to how many.
    var writingInPlace: [StagingRange: Int] = [:]
    var unsyncedSegments: Set<Int32> = []
    var epoch: Int64 = 1
    var change: Int64 = 0
    /// The change counter when the last epoch began.
    var lastEpochChange: Int64 = 0
    package internal(set) var stagingBytes: Int64 = 0
    /// While set, staging is limited by the disk only: for moments in which nobody may wait for uploads.
    package var isStagingLimitLifted = false
    /// The disk had hardly any room when it was looked at last.
    var wasDiskFull = false
    /// How many bytes staging could hold then for all that the disk had free.
    var stagingCeiling = Int64.max
    /// What a write or a read that waits has not found.
    var roomForWaiting: Int64 = 0
    /// What somebody has freed by hand: it goes back to the disk whether that is short or not.
    var promisedRoom: Int64 = 0
    package internal(set) var cachedBytes: Int64 = 0
    /// Of these, what pinned blocks take.
    package internal(set) var pinnedCachedBytes: Int64 = 0
    /// Room that is being filled with blocks on their way into the cache: it counts too, or the limit would be none.
    var reservedCacheBytes: Int64 = 0
    var nextCookie: Int64 = 1
    /// No change and no cookie above it has been given out at the end of an operation.
    var counterLimit: Int64 = 0
    /// Nodes that are not removed before it is decided what becomes of them: see `LostName`.
    var keptNodes: Set<InodeNumber> = []
    /// A commit was planned that is not saved yet: what it speaks of is not removed.
    package var hasPlannedCommit = false
    /// Whether there are ignore rules at all.
    var hasRules = false
    /// Counts how often what is known of the rules has changed.
    package internal(set) var rulesVersion = 0
    /// What local-only files took up at an epoch.
    var knownLocalOnlyBytes: (epoch: Int64, bytes: Int64)?
    /// While somebody wants to know which names change.
    var nameRecorder: NameRecorder?
    /// Directories of which a page is on its way, with the names that the server said meanwhile are gone.
    var listingsUnderWay: [InodeNumber: ListingUnderWay] = [:]
    /// Space that a failed transaction would have to give back or take again.
    var undo: [() -> Void] = []
    /// Whether rows of the server's may wait here for a file to be closed: unset once it was found that none does.
    var mayHaveDeferred = true

    package convenience init(_ configuration: StoreConfiguration, time: any TimeSource = SystemTime())
        throws(StoreError)
    {
        try self.init(configuration, time: time, entropy: SystemEntropy())
    }

    /// `boot`: another one than at the last time stands for a power cut.
    package init(
        _ configuration: StoreConfiguration, time: any TimeSource, entropy: any Entropy,
        boot: [UInt8] = Paths.bootID() ?? []
    ) throws(StoreError) {
        self.configuration = configuration
        self.boot = boot
        self.time = time
        self.entropy = entropy
        do {
            try Paths.createPrivateDirectory(configuration.directory)
            segments = try SegmentFiles(directory: configuration.directory + "/segments")
            lockFile = try OpenFile(path: configuration.directory + "/lock", [.readWrite, .create])
            guard try lockFile.tryLock() else { throw StoreError.inUse(path: configuration.directory) }
            if let missing = try StoreFiles.missingPart(of: configuration.directory) {
                throw StoreError.corrupt(missing)
            }
            stagingLog = StagingLog(directory: configuration.directory + "/segments")
            database = try StoreDatabase(directory: configuration.directory, boot: boot, entropy: entropy)
            places = StorePlaces(of: configuration.directory, segments)
        } catch {
            throw Self.storeError(error)
        }
        try load()
    }

    /// SQLite has said since the start that its file is damaged: the next start saves what is only here and begins afresh.
    package var isDamaged: Bool { database.isDamaged }
    /// Files of the store were deleted since it was opened: nothing can be made durable any more, and a later start will
    /// not find what is only here.
    package var isDeleted: Bool { places.areLost }
    /// Why nothing can be read or changed now: the disk fails.
    package var failure: StoreError? { database.broken }

    /// Lets another process open it from now on; whatever this one would still do with it fails.
    package func close() {
        database.close()
        try? lockFile.unlock()
    }

    // MARK: Transactions

    /// Runs `body` as one operation; inside another one it simply joins it, so what fails in `body` must fail that too.
    package func transaction<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
        do {
            if isInTransaction { return try body() }
            isInTransaction = true
            defer { isInTransaction = false }
            let mark = space.freedCount
            let logged = stagingLog.mark
            do {
                let result = try body()
                try keepCounters()
                try database.finishOperation()
                undo.removeAll(keepingCapacity: true)
                return result
            } catch {
                database.undoOperation()
                forgetAfterFailure(freedBefore: mark)
                stagingLog.undo(to: logged)
                throw error
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Whatever is in memory may speak of rows that are as they were before.
    private func forgetAfterFailure(freedBefore mark: Int) {
        nodes.removeAll()
        names.removeAll()
        stretches.removeAll()
        mayHaveDeferred = true
        for step in undo.reversed() { step() }
        undo.removeAll()
        space.forgetRevived(after: mark)
    }

    package static func storeError(_ error: any Error) -> StoreError {
        switch error {
        case let error as StoreError: error
        case let error as Errno: error == .noSpace ? .noSpace : .io(error)
        case let error as DatabaseError: SQLConnection.failure(error.resultCode.rawValue, "\(error)")
        default: .database("\(error)")
        }
    }

    // MARK: SQL

    /// Runs a statement that changes something; only inside `transaction`.
    func execute(_ sql: String, _ values: [SQLValue] = []) throws {
        assert(isInTransaction)
        try database.run(sql, values)
    }

    /// The rows of a query, each made a value by `make`, in order.
    func query<Value>(_ sql: String, _ values: [SQLValue] = [], _ make: (SQLRow) throws -> Value) throws -> [Value] {
        var result: [Value] = []
        try database.read(sql, values) { row in
            result.append(try make(row))
            return true
        }
        return result
    }

    func queryOne<Value>(_ sql: String, _ values: [SQLValue] = [], _ make: (SQLRow) throws -> Value) throws -> Value? {
        var result: Value?
        try database.read(sql, values) { row in
            result = try make(row)
            return false
        }
        return result
    }

    var lastRowID: Int64 { database.lastRowID }

    /// How many instructions SQLite has executed: tests hold by it what is done under the lock in one go.
    package var databaseInstructions: Int64 { database.instructions }

    /// The next value of the store's change counter.
    func nextChange() -> Int64 {
        change += 1
        return change
    }

    // MARK: Meta

    package func meta(_ key: String) throws(StoreError) -> [UInt8]? {
        do {
            return try queryOne("SELECT value FROM meta WHERE key = ?", [key.sqlValue]) { $0.bytes(0) }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func setMeta(_ key: String, _ value: [UInt8]?) throws(StoreError) {
        try transaction {
            if let value {
                try execute(
                    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key.sqlValue, value.sqlValue])
            } else {
                try execute("DELETE FROM meta WHERE key = ?", [key.sqlValue])
            }
        }
    }

    /// Moves committed frames of SQLite's log into the database file. From any thread, on a connection of its own.
    package static func checkpoint(directory: String) throws(StoreError) {
        do {
            try SQLConnection(path: directory + "/state.db").checkpoint()
        } catch {
            throw storeError(error)
        }
    }

    /// After `checkpoint`: lets the log begin anew although operations go on. Those since the last epoch are run again;
    /// false, without having done anything, where they are more than `most` bytes of `state.log`.
    package func restartLog(rerunning most: Int64) -> Bool {
        guard database.restartLog(rerunning: most) else { return false }
        statistics.logRestarts += 1
        return true
    }

    /// How many bytes SQLite's log holds; its file stays as long as it ever was.
    package var logBytes: Int64 { database.committedLogBytes }
}

/// Numbers for status and tests.
package struct StoreStatistics: Sendable, Hashable {
    package var transactions: Int64 = 0
    package var evictedBlocks: Int64 = 0
    package var epochs: Int64 = 0
    /// How often SQLite's log began anew while operations went on.
    package var logRestarts: Int64 = 0
}

struct NameKey: Hashable {
    var parent: InodeNumber
    var name: Name
}
