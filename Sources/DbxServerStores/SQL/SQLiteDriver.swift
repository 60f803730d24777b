import DbxModel
import GRDB

/// SQLite through GRDB: one writer, several readers, WAL, every commit synced.
///
/// Thread-safe by GRDB's queues. Other processes may have the file open; a writer waits for theirs up to 15 s.
package final class SQLiteDriver: SQLDriver {
    package let dialect = SQLDialect.sqlite
    private let pool: DatabasePool

    /// Opens the file at `path`, creating it where there is none.
    package init(path: String) throws(StoreError) {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(15)
        configuration.maximumReaderCount = 4
        configuration.label = "dbxfs-server"
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { database in
                // After GRDB's own set-up, which chooses NORMAL for WAL. What a commit of thousands of rows touches stays in
                // memory, and so does what its savepoint would put back: else pages go to the log and back, and to a file
                // in /var/tmp.
                for pragma in ["synchronous = FULL", "cache_size = -65536", "temp_store = MEMORY"] {
                    try database.execute(sql: "PRAGMA \(pragma)")
                }
            }
        } catch {
            throw StoreError(sqlite: error)
        }
    }

    package func read<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result {
        try translating { try pool.read { try body(SQLiteConnection($0)) } }
    }

    package func write<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result {
        try translating { try pool.write { try body(SQLiteConnection($0)) } }
    }

    package func migrate(
        _ body: (any SQLConnection, _ execute: (String) throws(StoreError) -> Void) throws -> Void
    ) throws {
        try translating {
            try writeSorting { database in
                try body(SQLiteConnection(database)) { sql throws(StoreError) in
                    do { try database.execute(sql: sql) } catch { throw StoreError(sqlite: error) }
                }
            }
        }
    }

    /// For what builds indexes: a sort of any size goes to a file.
    private func writeSorting(_ body: (Database) throws -> Void) throws {
        try pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA temp_store = FILE")
            defer { try? database.execute(sql: "PRAGMA temp_store = MEMORY") }
            try database.inTransaction {
                try body(database)
                return .commit
            }
        }
    }

    package func damage() throws(StoreError) -> [String] {
        do {
            let lines = try pool.read { try String.fetchAll($0, sql: "PRAGMA integrity_check(20)") }
            return lines == ["ok"] ? [] : lines
        } catch {
            guard case .corrupt(let what) = StoreError(sqlite: error) else { throw StoreError(sqlite: error) }
            return [what]
        }
    }

    package func rebuildIndexes() throws(StoreError) {
        do { try writeSorting { try $0.execute(sql: "REINDEX") } } catch { throw StoreError(sqlite: error) }
    }

    package func backup(to path: String) throws(StoreError) {
        do {
            let copy = try DatabaseQueue(path: path)
            try pool.backup(to: copy)
            try copy.close()
        } catch {
            throw StoreError(sqlite: error)
        }
    }

    private func translating<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as DatabaseError { throw StoreError(sqlite: error) }
    }
}

extension StoreError {
    init(sqlite error: any Error) {
        guard let error = error as? DatabaseError else {
            self = error as? StoreError ?? .io("\(error)")
            return
        }
        switch error.resultCode {
        case .SQLITE_FULL: self = .storageFull
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(error.message ?? "SQLite says corrupt")
        default: self = .io("SQLite \(error.extendedResultCode): \(error.message ?? "no message")")
        }
    }
}
