import GRDB
import GRDBSQLite

/// GRDB's connection of the running transaction, with statements kept prepared by GRDB and stepped here.
///
/// Binding and stepping go straight to SQLite: through GRDB's values a statement costs about three times as much, and a
/// commit of a thousand files runs some fifteen thousand.
@safe final class SQLiteConnection: SQLConnection {
    private let database: Database

    init(_ database: Database) { self.database = database }

    @discardableResult
    func run(_ statement: some SQLStatements, _ values: [SQLValue]) throws(StoreError) -> Int {
        unsafe try step(statement.rawValue, values) { _ throws(StoreError) in }
        return database.changesCount
    }

    func query(_ statement: some SQLStatements, _ values: [SQLValue]) throws(StoreError) -> [SQLRow] {
        var rows: [SQLRow] = []
        unsafe try step(statement.rawValue, values) { handle throws(StoreError) in
            rows.append(unsafe Self.row(handle))
        }
        return rows
    }

    func savepoint<Result>(_ body: () throws -> Result) throws -> Result {
        try database.execute(sql: "SAVEPOINT one")
        do {
            let result = try body()
            try database.execute(sql: "RELEASE one")
            return result
        } catch {
            try database.execute(sql: "ROLLBACK TO one; RELEASE one")
            throw error
        }
    }

    // Unsafe: `handle` is alive while `prepared` is; SQLITE_TRANSIENT makes SQLite copy what is bound, and columns are
    // copied before the next step.
    private func step(
        _ sql: String, _ values: [SQLValue], _ row: (OpaquePointer) throws(StoreError) -> Void
    ) throws(StoreError) {
        let prepared: Statement
        do { prepared = try database.cachedStatement(sql: sql) } catch { throw StoreError(sqlite: error) }
        let handle = unsafe prepared.sqliteStatement
        defer {
            unsafe sqlite3_reset(handle)
            unsafe sqlite3_clear_bindings(handle)
        }
        for (index, value) in values.enumerated() {
            let code = unsafe Self.bind(value, at: Int32(index + 1), to: handle)
            guard code == SQLITE_OK else { throw failure() }
        }
        while true {
            switch unsafe sqlite3_step(handle) {
            case SQLITE_ROW: unsafe try row(handle)
            case SQLITE_DONE: return
            default: throw failure()
            }
        }
    }

    private func failure() -> StoreError {
        StoreError(sqlite: DatabaseError(resultCode: database.lastErrorCode, message: database.lastErrorMessage))
    }

    private static func bind(_ value: SQLValue, at index: Int32, to handle: OpaquePointer) -> Int32 {
        let copied = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        switch value {
        case .null: return unsafe sqlite3_bind_null(handle, index)
        case .integer(let number): return unsafe sqlite3_bind_int64(handle, index, number)
        case .text(let text): return unsafe sqlite3_bind_text(handle, index, text, Int32(text.utf8.count), copied)
        case .bytes(let bytes):
            guard !bytes.isEmpty else { return unsafe sqlite3_bind_zeroblob(handle, index, 0) }
            return unsafe sqlite3_bind_blob(handle, index, bytes, Int32(bytes.count), copied)
        }
    }

    private static func row(_ handle: OpaquePointer) -> SQLRow {
        let count = unsafe sqlite3_column_count(handle)
        return SQLRow((0..<count).map { unsafe column($0, of: handle) })
    }

    private static func column(_ index: Int32, of handle: OpaquePointer) -> SQLValue {
        switch unsafe sqlite3_column_type(handle, index) {
        case SQLITE_INTEGER: return .integer(unsafe sqlite3_column_int64(handle, index))
        case SQLITE_TEXT:
            guard let text = unsafe sqlite3_column_text(handle, index) else { return .null }
            return .text(unsafe String(cString: text))
        case SQLITE_BLOB:
            guard let start = unsafe sqlite3_column_blob(handle, index) else { return .bytes([]) }
            return .bytes(
                unsafe Array(
                    UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, index)))))
        default: return .null
        }
    }
}
