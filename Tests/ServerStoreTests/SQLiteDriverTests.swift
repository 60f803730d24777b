import DbxServerStores
import DbxTestKit
import Foundation
import Testing

/// What only the SQLite driver promises.
struct SQLiteDriverTests {
    private enum Probe: String, SQLStatements {
        case synchronous = "PRAGMA synchronous"
        case journal = "PRAGMA journal_mode"
        case raiseVersion = "UPDATE schema_version SET version = version + 1"
    }

    private let directory = TemporaryDirectory()
    private var file: String { directory.path + "/metadata.db" }

    @Test("every commit waits for the disk")
    func synchronousIsFull() throws {
        let driver = try SQLiteDriver(path: file)
        try driver.write { connection throws in
            #expect(try connection.query(Probe.synchronous, []) == [SQLRow([.integer(2)])])
            #expect(try connection.query(Probe.journal, []) == [SQLRow([.text("wal")])])
        }
    }

    @Test("data of a newer version is refused")
    func newerSchema() throws {
        _ = try SQLMetadataStore(sqliteFile: file)
        try SQLiteDriver(path: file).write { _ = try $0.run(Probe.raiseVersion, []) }
        let known = Int64(Schema.versions.count)
        #expect(throws: StoreError.schemaTooNew(found: known + 1, known: known)) {
            try SQLMetadataStore(sqliteFile: file)
        }
    }

    @Test("a file that is no database is refused as damaged")
    func noDatabase() throws {
        try "no database at all, but long enough to be looked at as one by SQLite".write(
            toFile: file, atomically: true, encoding: .utf8)
        #expect(throws: StoreError.self) { try SQLMetadataStore(sqliteFile: file) }
    }
}
