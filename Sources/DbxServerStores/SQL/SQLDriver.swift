/// A family of SQL statements: the raw values are the statements, the cases their names.
///
/// Written once in the dialect that SQLite and PostgreSQL share: parameters are `?1`, `?2`, … in order of first use
/// (`$1` for PostgreSQL), BIGINT, TEXT and bytes are the only types.
package protocol SQLStatements: CaseIterable, RawRepresentable, Sendable where RawValue == String {}

/// A connection inside a transaction. Belongs to the closure that got it; never kept.
package protocol SQLConnection: AnyObject {
    /// Runs a statement that answers no rows; returns how many it changed.
    @discardableResult
    func run(_ statement: some SQLStatements, _ values: [SQLValue]) throws(StoreError) -> Int

    /// Runs a statement and returns all rows of its answer.
    func query(_ statement: some SQLStatements, _ values: [SQLValue]) throws(StoreError) -> [SQLRow]

    /// Runs `body` so that, if it throws, all it wrote is undone and the transaction goes on.
    func savepoint<Result>(_ body: () throws -> Result) throws -> Result
}

/// The thin layer over one database product. Methods block and may be called from any thread.
package protocol SQLDriver: Sendable {
    /// How the product spells what the shared dialect leaves open.
    var dialect: SQLDialect { get }

    /// Runs `body` on one consistent snapshot. It must not write.
    func read<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result

    /// Runs `body` in a transaction that is durable when this returns; an error undoes it.
    func write<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result

    /// Runs schema statements in one transaction together with `body`.
    func migrate(_ body: (any SQLConnection, _ execute: (String) throws(StoreError) -> Void) throws -> Void) throws

    /// What of the file itself is damaged, for people; empty where the product sees to that itself. Reads everything.
    func damage() throws(StoreError) -> [String]

    /// Makes all indexes anew from their tables.
    func rebuildIndexes() throws(StoreError)

    /// Writes a consistent copy while others go on reading and writing.
    func backup(to path: String) throws(StoreError)
}

/// What differs between the products in the schema.
package struct SQLDialect: Hashable, Sendable {
    /// Type of a column of bytes.
    package let bytesType: String
    /// Follows a table whose rows are best kept in the order of its primary key.
    package let clustered: String

    package static let sqlite = SQLDialect(bytesType: "BLOB", clustered: " WITHOUT ROWID")
    package static let postgreSQL = SQLDialect(bytesType: "BYTEA", clustered: "")

    /// The schema statement in this dialect.
    package func spell(_ schema: String) -> String {
        schema.replacing("{bytes}", with: bytesType).replacing("{clustered}", with: clustered)
    }
}
