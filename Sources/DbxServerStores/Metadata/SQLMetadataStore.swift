/// `MetadataStore` over any SQL driver. Has no state and no locks of its own.
package final class SQLMetadataStore<Driver: SQLDriver>: MetadataStore {
    private let driver: Driver

    /// Brings the schema up to date; refuses one that a newer version wrote.
    package init(driver: Driver) throws {
        self.driver = driver
        try Self.migrate(driver)
    }

    package func read<Result>(_ body: (any MetadataTransaction) throws -> Result) throws -> Result {
        try driver.read { try body(SQLTransaction($0)) }
    }

    package func write<Result>(_ body: (any MetadataTransaction) throws -> Result) throws -> Result {
        try driver.write { try body(SQLTransaction($0)) }
    }

    package func writeBatch<Value>(
        _ bodies: [(any MetadataTransaction) throws -> Value], beforehand: (any MetadataTransaction) throws -> Void
    ) throws -> [Result<Value, any Error>] {
        try driver.write { connection in
            let transaction = SQLTransaction(connection)
            try beforehand(transaction)
            return bodies.map { body in
                Result { try connection.savepoint { try body(transaction) } }
            }
        }
    }

    package func damage() throws(StoreError) -> [String] { try driver.damage() }
    package func rebuildIndexes() throws(StoreError) { try driver.rebuildIndexes() }
    package func backup(to path: String) throws(StoreError) { try driver.backup(to: path) }

    private static func migrate(_ driver: Driver) throws {
        let known = Int64(Schema.versions.count)
        try driver.migrate { connection, execute in
            try execute(StatementCatalogue.versionTable)
            var reader = try connection.query(SchemaStatements.version, []).first.map(RowReader.init)
            let found = try reader?.int64()
            guard found ?? 0 <= known else { throw StoreError.schemaTooNew(found: found ?? 0, known: known) }
            for version in Schema.versions[Int(found ?? 0)...] {
                for statement in version { try execute(driver.dialect.spell(statement)) }
            }
            if found == nil {
                try connection.run(SchemaStatements.insertVersion, [.integer(known)])
            } else if found != known {
                try connection.run(SchemaStatements.updateVersion, [.integer(known)])
            }
        }
    }
}

extension SQLMetadataStore where Driver == SQLiteDriver {
    /// The store in one SQLite file, made where there is none.
    package convenience init(sqliteFile path: String) throws {
        try self.init(driver: SQLiteDriver(path: path))
    }
}
