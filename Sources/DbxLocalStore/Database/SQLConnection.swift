import CSQLiteShims
import GRDB
import GRDBSQLite

/// A connection to `state.db`. GRDB brings the tables up to date; statements go straight to SQLite: through GRDB's values
/// one costs about three times as much, and a change of the tree runs half a dozen.
///
/// Not thread-safe: guarded by the store's lock. Statements stay prepared for the connection's life.
@safe final class SQLConnection {
    /// A prepared statement, and under which number the redo log knows its text.
    @safe final class Statement {
        let text: String
        let logMark = RedoLog.Mark()
        fileprivate let handle: OpaquePointer

        fileprivate init(text: String, handle: OpaquePointer) {
            self.text = text
            unsafe self.handle = handle
        }
    }

    private let handle: OpaquePointer
    /// Written by SQLite at each commit: how many frames its log has.
    private let frames: UnsafeMutablePointer<Int32>
    private var statements: [String: Statement] = [:]
    /// How many instructions SQLite has executed for our statements: what they cost, told by counting.
    private(set) var instructions: Int64 = 0
    /// Called whenever SQLite says that its file is damaged.
    var whenDamaged: (() -> Void)?

    /// Opens the file, which exists.
    init(path: String) throws(StoreError) {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
        // Safe: the path is lent for the call; a connection comes out even where opening fails, and is closed then.
        let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened = unsafe opened else {
            unsafe sqlite3_close_v2(opened)
            throw StoreError.database("\(path) cannot be opened (SQLite error \(code))")
        }
        unsafe handle = opened
        unsafe frames = .allocate(capacity: 1)
        unsafe frames.initialize(to: 0)
        unsafe dbxfs_sqlite_keep_log(UnsafeMutableRawPointer(handle))
        for pragma in ["journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0", "cache_size = -65536"] {
            try run("PRAGMA \(pragma)")
        }
        // After the pragma of automatic checkpoints, which has a hook of its own.
        // Safe: the hook runs during commits of this connection only, which is closed before the counter is freed.
        unsafe sqlite3_wal_hook(
            handle,
            { counter, _, _, count in
                unsafe counter?.assumingMemoryBound(to: Int32.self).pointee = count
                return SQLITE_OK
            }, frames)
    }

    deinit {
        for statement in statements.values { unsafe sqlite3_finalize(statement.handle) }
        unsafe sqlite3_close_v2(handle)
        unsafe frames.deallocate()
    }

    /// Brings the tables of the file up to date. Beside an open connection, so that its log is left alone at the end.
    static func migrate(path: String) throws {
        let queue = try DatabaseQueue(path: path)
        if try queue.read({ try Schema.migrator.hasBeenSuperseded($0) }) { throw StoreError.tooNew(path: path) }
        try Schema.migrator.migrate(queue)
        try queue.close()
    }

    /// Throws where the file has none of our tables, being another one than before.
    func checkTables() throws {
        var hasTables = false
        try read("SELECT 1 FROM sqlite_master WHERE name = 'nodes'", []) { _ in
            hasTables = true
            return false
        }
        if !hasTables { throw StoreError.corrupt("state.db has no tables") }
    }

    /// Throws where a page is damaged. Reads the whole file.
    func checkPages() throws {
        try read("PRAGMA quick_check(1)", []) { row in
            let answer = String(decoding: row.bytes(0), as: UTF8.self)
            guard answer == "ok" else { throw StoreError.corrupt(answer) }
            return false
        }
    }

    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }
    /// How many frames SQLite's log had after the last commit of this connection.
    var framesInLog: Int64 { unsafe Int64(frames.pointee) }
    var changedRows: Int { unsafe Int(sqlite3_changes(handle)) }
    var lastRowID: Int64 { unsafe sqlite3_last_insert_rowid(handle) }

    func statement(_ text: String) throws(StoreError) -> Statement {
        if let known = statements[text] { return known }
        var prepared: OpaquePointer?
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        // Safe: the text is lent for the call, which copies what it needs.
        guard unsafe sqlite3_prepare_v3(handle, text, -1, flags, &prepared, nil) == SQLITE_OK,
            let prepared = unsafe prepared
        else { throw failure() }
        let statement = unsafe Statement(text: text, handle: prepared)
        statements[text] = statement
        return statement
    }

    func run(_ text: String, _ values: [SQLValue] = []) throws(StoreError) {
        try run(statement(text), values)
    }

    func run(_ statement: Statement, _ values: [SQLValue]) throws(StoreError) {
        defer { end(statement) }
        try bind(values, to: statement)
        while try step(statement) {}
    }

    /// Calls `row` with each row, until it returns false. Rows are valid during the call only; `row` runs no statement.
    func read(
        _ text: String, _ values: [SQLValue], _ row: (SQLRow) throws -> Bool
    ) throws {
        let statement = try statement(text)
        defer { end(statement) }
        try bind(values, to: statement)
        while try step(statement) {
            guard try row(unsafe SQLRow(handle: statement.handle)) else { return }
        }
    }

    /// Moves what no other connection needs from the log into the database file; syncs both.
    func checkpoint() throws(StoreError) {
        guard unsafe sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil) == SQLITE_OK else {
            throw failure()
        }
    }

    private func step(_ statement: Statement) throws(StoreError) -> Bool {
        switch unsafe sqlite3_step(statement.handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw failure()
        }
    }

    private func end(_ statement: Statement) {
        unsafe sqlite3_reset(statement.handle)
        instructions += Int64(unsafe sqlite3_stmt_status(statement.handle, SQLITE_STMTSTATUS_VM_STEP, 1))
    }

    // Safe: SQLite copies what is bound (SQLITE_TRANSIENT); every parameter is bound anew each time.
    private func bind(_ values: [SQLValue], to statement: Statement) throws(StoreError) {
        let copied = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        let handle = unsafe statement.handle
        for index in values.indices {
            let place = Int32(truncatingIfNeeded: index + 1)
            let code =
                switch values[index] {
                case .null: unsafe sqlite3_bind_null(handle, place)
                case .integer(let number): unsafe sqlite3_bind_int64(handle, place, number)
                case .text(let text): unsafe sqlite3_bind_text(handle, place, text, -1, copied)
                case .bytes(let bytes):
                    bytes.isEmpty
                        ? unsafe sqlite3_bind_zeroblob(handle, place, 0)
                        : unsafe sqlite3_bind_blob(handle, place, bytes, Int32(bytes.count), copied)
                }
            guard code == SQLITE_OK else { throw failure() }
        }
    }

    private func failure() -> StoreError {
        let failure = Self.failure(unsafe sqlite3_errcode(handle), unsafe String(cString: sqlite3_errmsg(handle)))
        if case .corrupt = failure { whenDamaged?() }
        return failure
    }

    static func failure(_ code: Int32, _ message: String) -> StoreError {
        switch code {
        case SQLITE_FULL: .noSpace
        case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt(message)
        default: .database("\(message) (SQLite error \(code))")
        }
    }
}

/// The current row of a statement. Columns are read by their index; NULL reads as 0 where no optional is asked for.
@safe struct SQLRow {
    private let handle: OpaquePointer

    fileprivate init(handle: OpaquePointer) { unsafe self.handle = handle }

    subscript(_ index: Int) -> Int64 { unsafe sqlite3_column_int64(handle, Int32(index)) }
    subscript(_ index: Int) -> Int64? { isNull(index) ? nil : (self[index] as Int64) }
    subscript(_ index: Int) -> Int { Int(self[index] as Int64) }
    subscript(_ index: Int) -> Bool { (self[index] as Int64) != 0 }

    func bytes(_ index: Int) -> [UInt8] {
        // Safe: the column stays as it is until the next step; the bytes are copied before.
        guard let start = unsafe sqlite3_column_blob(handle, Int32(index)) else { return [] }
        let count = unsafe Int(sqlite3_column_bytes(handle, Int32(index)))
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }

    func bytesIfPresent(_ index: Int) -> [UInt8]? { isNull(index) ? nil : bytes(index) }

    private func isNull(_ index: Int) -> Bool { unsafe sqlite3_column_type(handle, Int32(index)) == SQLITE_NULL }
}
