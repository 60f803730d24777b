package import DbxModel
import DbxSystem
import Foundation
import GRDB
package import Synchronization

/// The client's copy of the tree, what waits for its upload, and the block cache (DESIGN §5.1).
///
/// Not thread-safe and without threads: `SharedStore` serialises. Every operation is one transaction of `state.db`; once
/// it has returned, a killed process loses nothing of it. What a power cut loses is docs/DURABILITY.md's subject.
package final class LocalStore {
    package let configuration: StoreConfiguration
    package let segments: SegmentFiles
    package internal(set) var statistics = StoreStatistics()
    /// Counts how often freed pages were made available again. A reader that copies bytes without the lock compares it
    /// before and after: unchanged, nothing it read can have been overwritten by something else.
    package let reuseGeneration = Atomic<UInt64>(0)

    let time: any TimeSource
    let entropy: any Entropy
    private let queue: DatabaseQueue
    private let lockFile: OpenFile
    /// Set while a transaction or a read is under way.
    private var connection: Database?
    private var isInTransaction = false

    // What is hot is kept in memory, written through, and thrown away when a transaction fails.
    var nodes: [InodeNumber: LocalNode] = [:]
    var names: [NameKey: InodeNumber?] = [:]
    var stretches: [StretchKey: [LocalExtent]] = [:]
    var space = SpaceMap()
    var cachedBlocks: [BlockNumber: CachedBlock] = [:]
    var evictionClock = EvictionClock()
    var reservations: [InodeNumber: StagingReservation] = [:]
    var unsyncedSegments: Set<Int32> = []
    var epoch: Int64 = 1
    var change: Int64 = 0
    /// The change counter when the last epoch began.
    var lastEpochChange: Int64 = 0
    package internal(set) var stagingBytes: Int64 = 0
    package internal(set) var cachedBytes: Int64 = 0
    var nextCookie: Int64 = 1
    /// Space that a failed transaction would have to give back or take again.
    var undo: [() -> Void] = []

    package convenience init(_ configuration: StoreConfiguration, time: any TimeSource = SystemTime())
        throws(StoreError)
    {
        try self.init(configuration, time: time, entropy: SystemEntropy())
    }

    package init(
        _ configuration: StoreConfiguration, time: any TimeSource, entropy: any Entropy
    ) throws(StoreError) {
        self.configuration = configuration
        self.time = time
        self.entropy = entropy
        do {
            try Paths.createPrivateDirectory(configuration.directory)
            segments = try SegmentFiles(directory: configuration.directory + "/segments")
            lockFile = try OpenFile(path: configuration.directory + "/lock", [.readWrite, .create])
            guard try lockFile.tryLock() else { throw StoreError.inUse(path: configuration.directory) }
            queue = try Self.openDatabase(configuration.directory + "/state.db")
        } catch {
            throw Self.storeError(error)
        }
        try load()
    }

    private static func openDatabase(_ path: String) throws -> DatabaseQueue {
        var settings = Configuration()
        settings.journalMode = .wal
        settings.prepareDatabase { db in
            try db.execute(
                sql: "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -65536")
        }
        let file = try OpenFile(path: path, [.readWrite, .create])
        _ = try file.size()
        let queue = try DatabaseQueue(path: path, configuration: settings)
        if try queue.read({ try Schema.migrator.hasBeenSuperseded($0) }) { throw StoreError.tooNew(path: path) }
        try Schema.migrator.migrate(queue)
        return queue
    }

    // MARK: Transactions

    /// Runs `body` as one transaction; inside another one it simply joins it.
    package func transaction<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
        do {
            if isInTransaction { return try body() }
            return try connected { db in
                isInTransaction = true
                defer { isInTransaction = false }
                do {
                    try db.execute(sql: "BEGIN IMMEDIATE")
                    let result = try body()
                    try db.execute(sql: "COMMIT")
                    undo.removeAll(keepingCapacity: true)
                    return result
                } catch {
                    try? db.execute(sql: "ROLLBACK")
                    forgetAfterFailure()
                    throw error
                }
            }
        } catch {
            throw Self.storeError(error)
        }
    }

    /// Runs `body` with the connection.
    func connected<Result>(_ body: (Database) throws -> Result) throws -> Result {
        if let connection { return try body(connection) }
        return try queue.writeWithoutTransaction { db in
            connection = db
            defer { connection = nil }
            return try body(db)
        }
    }

    /// Whatever is in memory may speak of rows that were rolled back.
    private func forgetAfterFailure() {
        nodes.removeAll()
        names.removeAll()
        stretches.removeAll()
        for step in undo.reversed() { step() }
        undo.removeAll()
    }

    static func storeError(_ error: any Error) -> StoreError {
        switch error {
        case let error as StoreError: error
        case let error as Errno: error == .noSpace ? .noSpace : .io(error)
        case let error as DatabaseError where error.resultCode == .SQLITE_FULL: .noSpace
        case let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB:
            .corrupt("\(error)")
        default: .database("\(error)")
        }
    }

    // MARK: SQL

    func execute(_ sql: String, _ values: [DatabaseValue] = []) throws {
        try connected { db in
            try db.cachedStatement(sql: sql).execute(arguments: StatementArguments(values))
        }
    }

    /// The rows of a query, each made a value by `make`, in order.
    func query<Value>(_ sql: String, _ values: [DatabaseValue] = [], _ make: (Row) throws -> Value) throws -> [Value] {
        try connected { db in
            let cursor = try Row.fetchCursor(
                try db.cachedStatement(sql: sql), arguments: StatementArguments(values))
            var result: [Value] = []
            while let row = try cursor.next() { result.append(try make(row)) }
            return result
        }
    }

    func queryOne<Value>(_ sql: String, _ values: [DatabaseValue] = [], _ make: (Row) throws -> Value) throws -> Value?
    {
        try connected { db in
            let cursor = try Row.fetchCursor(
                try db.cachedStatement(sql: sql), arguments: StatementArguments(values))
            return try cursor.next().map(make)
        }
    }

    var lastRowID: Int64 { connection?.lastInsertedRowID ?? 0 }

    /// The next value of the store's change counter.
    func nextChange() -> Int64 {
        change += 1
        return change
    }

    // MARK: Meta

    package func meta(_ key: String) throws(StoreError) -> [UInt8]? {
        do {
            return try queryOne("SELECT value FROM meta WHERE key = ?", [key.databaseValue]) { $0.bytes(0) }
        } catch {
            throw Self.storeError(error)
        }
    }

    package func setMeta(_ key: String, _ value: [UInt8]?) throws(StoreError) {
        try transaction {
            if let value {
                try execute(
                    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key.databaseValue, value.sql])
            } else {
                try execute("DELETE FROM meta WHERE key = ?", [key.databaseValue])
            }
        }
    }

    /// Moves committed frames of the log into the database file. From any thread, on a connection of its own.
    package static func checkpoint(directory: String) throws(StoreError) {
        do {
            var settings = Configuration()
            settings.busyMode = .timeout(1)
            let queue = try DatabaseQueue(path: directory + "/state.db", configuration: settings)
            try queue.writeWithoutTransaction { db in _ = try db.checkpoint(.passive) }
            try queue.close()
        } catch {
            throw storeError(error)
        }
    }
}

/// Numbers for status and tests.
package struct StoreStatistics: Sendable, Hashable {
    package var transactions: Int64 = 0
    package var evictedBlocks: Int64 = 0
    package var epochs: Int64 = 0
}

struct NameKey: Hashable {
    var parent: InodeNumber
    var name: Name
}

extension [UInt8] {
    var sql: DatabaseValue { Data(self).databaseValue }
}

extension Row {
    func bytes(_ index: Int) -> [UInt8] {
        let data: Data = self[index]
        return [UInt8](data)
    }

    func bytesIfPresent(_ index: Int) -> [UInt8]? {
        let data: Data? = self[index]
        return data.map { [UInt8]($0) }
    }
}
