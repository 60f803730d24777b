import DbxModel
import DbxSystem

/// `state.db` with its redo log: operations of the store are whole or did not happen, and survive a killed process as
/// soon as they have ended; `commit` brings them into SQLite's own log, which an epoch syncs (docs/DURABILITY.md).
///
/// Not thread-safe: guarded by the store's lock.
final class StoreDatabase {
    /// The database commits when the log has grown to this.
    private static let largestLog: Int64 = 1 << 20
    private static let operationKey = "operation"

    private let connection: SQLConnection
    private let log: RedoLog
    /// The number of the last finished operation, and the one that SQLite has committed.
    private var operation: UInt64 = 0
    private var committed: UInt64 = 0
    /// Where the log is to be when the next commit is tried.
    private var commitAt = StoreDatabase.largestLog
    /// Set when memory and disk can no longer be made to agree: everything fails from then on.
    private var broken: StoreError?

    init(directory: String, entropy: any Entropy) throws {
        let path = directory + "/state.db"
        // Made by us so that only its owner may read it.
        _ = try OpenFile(path: path, [.readWrite, .create]).size()
        connection = try SQLConnection(path: path)
        try SQLConnection.migrate(path: path)
        log = try RedoLog(path: directory + "/state.log", generation: entropy.next())
        try recover()
    }

    /// Whether a commit would bring anything into SQLite.
    var hasUncommitted: Bool { operation != committed }
    var lastRowID: Int64 { connection.lastRowID }

    // MARK: Operations

    /// Runs a statement that changes something, as part of the operation under way.
    func run(_ text: String, _ values: [SQLValue]) throws(StoreError) {
        if let broken { throw broken }
        if !connection.isInTransaction { try connection.run("BEGIN IMMEDIATE") }
        let statement = try connection.statement(text)
        log.add(text, statement.logMark, values)
        try connection.run(statement, values)
    }

    func read(_ text: String, _ values: [SQLValue], _ row: (SQLRow) throws -> Bool) throws {
        if let broken { throw broken }
        try connection.read(text, values, row)
    }

    /// The operation is complete.
    func finishOperation() throws(StoreError) {
        guard log.isStarted else { return }
        if log.isTooLarge {
            operation += 1
            do {
                try commit()
            } catch {
                operation -= 1
                throw error
            }
            return
        }
        do {
            try log.finish(operation: operation + 1)
        } catch {
            throw error == .noSpace ? .noSpace : .io(error)
        }
        operation += 1
        if log.position >= commitAt { try? commit() }
    }

    /// Nothing of the operation under way has happened.
    func undoOperation() {
        guard log.isStarted else { return }
        log.abandon()
        rebuild()
    }

    // MARK: Commits

    /// Brings all finished operations into SQLite's log. Where that fails they stay in ours.
    func commit() throws(StoreError) {
        if let broken { throw broken }
        guard hasUncommitted else { return }
        do {
            try connection.run(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [Self.operationKey.sqlValue, operation.bigEndianBytes.sqlValue])
            try connection.run("COMMIT")
        } catch {
            log.abandon()
            rebuild()
            commitAt = log.position + Self.largestLog
            throw error
        }
        committed = operation
        commitAt = Self.largestLog
        log.restart()
    }

    /// Commits, then moves SQLite's log into the database file. Waits for the disk.
    func fold() throws(StoreError) {
        try commit()
        try connection.checkpoint()
    }

    // MARK: After a failure

    /// Back to the last commit, then again what the log has.
    private func rebuild() {
        do {
            if connection.isInTransaction { try connection.run("ROLLBACK") }
            try replay(try log.ownRecords())
        } catch {
            broken = .database("an operation could not be undone: \(error); restart the mount")
        }
    }

    private func replay(_ records: [RedoLog.Record]) throws(StoreError) {
        for record in records where record.operation > committed {
            if !connection.isInTransaction { try connection.run("BEGIN IMMEDIATE") }
            for (text, values) in record.statements { try connection.run(text, values) }
        }
    }

    /// What the last process had finished and SQLite had not.
    private func recover() throws {
        try connection.read("SELECT value FROM meta WHERE key = ?", [Self.operationKey.sqlValue]) { row in
            committed = row.bytes(0)[...].bigEndianValue
            return false
        }
        operation = committed
        let records = try log.records()
        // A log that begins later belongs to a state that a power cut has taken back.
        guard let first = records.first, let last = records.last, first.operation <= committed + 1,
            last.operation > committed
        else { return }
        try replay(records)
        operation = last.operation
        try commit()
    }
}
