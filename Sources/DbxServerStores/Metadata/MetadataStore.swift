/// Where accounts, trees and the journal are kept: typed rows in transactions (DESIGN §6).
///
/// Synchronous; may be called from any thread. Writers exclude one another at least for one namespace; a reader sees
/// one consistent state. Closures are run exactly once, on any thread, while the caller waits, and must not keep the
/// transaction. Errors of the store are `StoreError`; what a closure throws is passed on.
package protocol MetadataStore: Sendable {
    /// Runs `body` on a snapshot; it must only read.
    func read<Result>(_ body: (any MetadataTransaction) throws -> Result) throws -> Result

    /// Runs `body` in a transaction that is durable when this returns. If it throws, nothing was changed.
    func write<Result>(_ body: (any MetadataTransaction) throws -> Result) throws -> Result

    /// Runs `beforehand` and then independent bodies in order with one wait for the disk. A body that throws leaves
    /// nothing behind and does not disturb the others; when this itself throws, none has happened.
    func writeBatch<Value>(
        _ bodies: [(any MetadataTransaction) throws -> Value], beforehand: (any MetadataTransaction) throws -> Void
    ) throws -> [Result<Value, any Error>]

    /// What of the database's own files is damaged, for people. Reads everything.
    func damage() throws(StoreError) -> [String]

    /// Makes all indexes anew: the remedy where only they are damaged.
    func rebuildIndexes() throws(StoreError)

    /// Writes a consistent copy, which the same implementation can open, to a new file.
    func backup(to path: String) throws(StoreError)
}

/// The row operations of one transaction, by family of tables. All of them throw only `StoreError`.
package protocol MetadataTransaction: AccountRows, NamespaceRows, TreeRows, ContentRows, BlockRows, JournalRows,
    StatusRows, CheckRows
{}
