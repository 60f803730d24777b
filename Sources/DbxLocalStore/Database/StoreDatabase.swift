import DbxModel
import DbxSystem

/// `state.db` with its redo log: operations of the store are whole or did not happen, and survive a killed process as
/// soon as they have ended. SQLite commits once an epoch, so that after a power cut the store can be taken back to the
/// last epoch that is on the disk (docs/DURABILITY.md).
///
/// Not thread-safe: guarded by the store's lock.
final class StoreDatabase {
    private static let operationKey = "operation"

    private let directory: String
    private let connection: SQLConnection
    private let log: RedoLog
    /// The index of SQLite's log, with its room. Not closed before the connection: that would take SQLite's locks on it away
    /// (fcntl(2)).
    private var logIndex: OpenFile?
    /// For 128 MiB of log.
    private static let logIndexBytes: Int64 = 256 << 10
    /// Behind SQLite's log, for some commits that make it longer.
    private var commitRoom = LogRoom(bytes: 16 << 20)
    /// The number of the last finished operation, and the one that SQLite has committed.
    private var operation: UInt64 = 0
    private(set) var committed: UInt64 = 0
    /// Set where the disk failed while an operation was undone: everything fails until that has succeeded, which each
    /// access tries again.
    private(set) var broken: StoreError?
    /// SQLite has said that its file is damaged. The next start looks at all of it.
    private(set) var isDamaged = false
    private var isClosed = false
    /// The number of the epoch that was on the disk when the store was opened, and whether what the store has now may be
    /// more than that.
    let lastEpoch: Int64
    let isAheadOfDisk: Bool

    /// `boot` names the machine's boot. Is it another than when the store was last used, everything behind the last epoch
    /// counts as lost: the disk may have parts of it.
    init(directory: String, boot: [UInt8], entropy: any Entropy) throws {
        self.directory = directory
        let path = directory + "/state.db"
        // Made by us so that only its owner may read it.
        _ = try OpenFile(path: path, [.readWrite, .create]).size()
        let record = try EpochRecord.read(in: directory)
        let isSameBoot = record?.isOf(boot: boot) ?? true
        isAheadOfDisk = isSameBoot
        if let record, !isSameBoot { try WriteAheadLog.rollBack(to: record.position, in: directory) }
        connection = try SQLConnection(path: path)
        if record != nil { try connection.checkTables() }
        let mark = "\(directory)/\(StoreFiles.damagedMark)"
        if Paths.exists(mark) { try connection.checkPages() }
        try? Paths.remove(mark)
        try SQLConnection.migrate(path: path)
        log = try RedoLog(path: directory + "/state.log", generation: entropy.next())
        lastEpoch = record.map { isSameBoot ? $0.number : $0.number + 1 } ?? 0
        // Before the record bears this boot's name, under which the logs would be believed.
        if let record, !isSameBoot {
            try log.clear()
            try StagingLog.forget(behind: record.number, in: directory + "/segments")
        }
        if record == nil || !isSameBoot { try begin(after: record, boot: boot) }
        connection.whenDamaged = { [weak self] in
            self?.isDamaged = true
            _ = try? OpenFile(path: mark, [.readWrite, .create])
        }
        try recover(log: isSameBoot, from: record?.operation ?? 0)
    }

    /// From here on a killed process loses nothing, for the disk's state has this boot's name.
    private func begin(after record: EpochRecord?, boot: [UInt8]) throws {
        if record == nil {
            try connection.checkpoint()
            try Paths.syncDirectory(directory)
        }
        // With all of the log in the database file any other log is to be dropped.
        let position = record?.position ?? WriteAheadLog.Position(salt: 0, frames: 0)
        let operation = record?.operation ?? 0
        let new = EpochRecord(number: lastEpoch, position: position, operation: operation, boot: boot)
        try new.write(in: directory)
        if record == nil {
            // The next epoch's place too: the disk may be full by then.
            try new.write(in: directory)
            try Paths.syncDirectory(directory)
        }
    }

    /// Whether a commit would bring anything into SQLite.
    var hasUncommitted: Bool { operation != committed }
    var lastRowID: Int64 { connection.lastRowID }
    var instructions: Int64 { connection.instructions }
    /// How many rows the last statement that changes something has changed.
    var changedRows: Int { connection.changedRows }

    // MARK: Room

    /// Whether what has to be written while the disk is full has room.
    var hasRoom: Bool { log.hasRoom && !commitRoom.isShort }

    /// Sets that room aside, as far as the disk has it.
    func keepRoom() {
        try? log.keepRoom()
        guard let file = try? WriteAheadLog.open(in: directory) else { return }
        // Before this connection's first commit nothing tells where the log ends, but that it is no longer than its file.
        let end = connection.framesInLog > 0 ? committedLogBytes : (try? file.size()) ?? 0
        try? commitRoom.keep(file, behind: end)
        if logIndex == nil { logIndex = try? OpenFile(path: WriteAheadLog.indexPath(directory), .readWrite) }
        try? logIndex?.reserve(offset: 0, length: Self.logIndexBytes)
    }

    // MARK: Operations

    /// Runs a statement that changes something, as part of the operation under way.
    func run(_ text: String, _ values: [SQLValue]) throws(StoreError) {
        try mend()
        if !log.isStarted {
            do {
                try log.makeRoom()
            } catch {
                throw error == .noSpace ? .noSpace : .io(error)
            }
        }
        do {
            if !connection.isInTransaction { try connection.run("BEGIN IMMEDIATE") }
            let statement = try connection.statement(text)
            log.add(text, statement.logMark, values)
            try connection.run(statement, values)
        } catch {
            throw cause(of: error)
        }
    }

    /// SQLite says no more than that its files fail. Whether the disk is full or read-only, a file beside them says.
    private func cause(of error: StoreError) -> StoreError {
        guard case .database = error else { return error }
        do {
            try log.probe()
            return error
        } catch {
            return error == .noSpace ? .noSpace : .io(error)
        }
    }

    func read(_ text: String, _ values: [SQLValue], _ row: (SQLRow) throws -> Bool) throws {
        try mend()
        try connection.read(text, values, row)
    }

    /// The operation is complete.
    func finishOperation() throws(StoreError) {
        guard log.isStarted else { return }
        do {
            try log.finish(operation: operation + 1)
        } catch {
            throw error == .noSpace ? .noSpace : .io(error)
        }
        operation += 1
    }

    /// Nothing of the operation under way has happened.
    func undoOperation() {
        guard log.isStarted else { return }
        log.abandon()
        rebuild()
    }

    // MARK: Commits

    /// Brings all finished operations into SQLite's log and says where they end there. Where that fails they stay in ours.
    /// Nothing is synced: the caller begins an epoch.
    func commit() throws(StoreError) -> WriteAheadLog.Position {
        try mend()
        // The first commit of a connection tells how many frames there are: one that changes nothing writes none.
        let isFirst = connection.framesInLog == 0 && !hasUncommitted
        if isFirst { operation += 1 }
        if hasUncommitted {
            do {
                if !connection.isInTransaction { try connection.run("BEGIN IMMEDIATE") }
                try connection.run(
                    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [Self.operationKey.sqlValue, operation.bigEndianBytes.sqlValue])
                try connection.run("COMMIT")
            } catch {
                if isFirst { operation -= 1 }
                rebuild()
                throw cause(of: error)
            }
            committed = operation
            log.restart()
        }
        guard connection.framesInLog > 0 else { throw .database("SQLite did not say where its log ends") }
        do {
            return WriteAheadLog.Position(
                salt: try WriteAheadLog.salt(in: directory) ?? 0, frames: connection.framesInLog)
        } catch {
            throw .io(error)
        }
    }

    /// Lets SQLite's log begin anew, once the database file has all of it: it does so for a transaction that begins
    /// then. What has been finished since the last commit is run again. False where that is more than `most` bytes of our
    /// log: then nothing is done.
    func restartLog(rerunning most: Int64) -> Bool {
        guard connection.isInTransaction, !log.isStarted else { return true }
        guard log.position <= most else { return false }
        rebuild()
        return true
    }

    /// How many bytes SQLite's log held after the last commit.
    var committedLogBytes: Int64 { WriteAheadLog.bytes(frames: connection.framesInLog) }

    /// Frees SQLite's lock. What is not committed is in our log, as after a kill.
    func close() {
        isClosed = true
        if connection.isInTransaction { try? connection.run("ROLLBACK") }
    }

    // MARK: After a failure

    /// Back to the last commit, then again what the log has.
    private func rebuild() {
        do {
            if connection.isInTransaction { try connection.run("ROLLBACK") }
            // A record that could not be written may be there all the same.
            let records = try log.ownRecords().filter { $0.operation <= operation }
            guard max(committed, records.last?.operation ?? 0) == operation else {
                throw StoreError.corrupt("state.log has not all that was written to it")
            }
            try replay(records)
            broken = nil
        } catch {
            broken = .database("the disk failed while an operation was undone: \(error)")
        }
    }

    private func mend() throws(StoreError) {
        guard !isClosed else { throw .inUse(path: directory) }
        guard broken != nil else { return }
        rebuild()
        if let broken { throw broken }
    }

    private func replay(_ records: [RedoLog.Record]) throws(StoreError) {
        for record in records where record.operation > committed {
            if !connection.isInTransaction { try connection.run("BEGIN IMMEDIATE") }
            for (text, values) in record.statements { try connection.run(text, values) }
        }
    }

    /// What the last process had finished and SQLite had not; nothing where the log is not to be trusted.
    private func recover(log isTrusted: Bool, from epoch: UInt64) throws {
        try connection.read("SELECT value FROM meta WHERE key = ?", [Self.operationKey.sqlValue]) { row in
            committed = row.bytes(0)[...].bigEndianValue
            return false
        }
        guard committed >= epoch else { throw StoreError.corrupt("state.db has lost what its last epoch had") }
        operation = committed
        guard isTrusted else { return }
        let records = try log.records()
        guard let first = records.first, let last = records.last, first.operation <= committed + 1,
            last.operation > committed
        else { return }
        try replay(records)
        operation = last.operation
        // The log is about to begin anew. Should it happen again before an epoch, SQLite has it.
        _ = try commit()
    }
}
