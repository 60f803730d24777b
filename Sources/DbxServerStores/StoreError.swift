/// Why a store could not do what it was asked.
package enum StoreError: Error, Hashable, Sendable {
    /// The disk or bucket has no room.
    case storageFull
    /// Another process held the database for too long.
    case busy
    /// The schema was written by a newer version of this program.
    case schemaTooNew(found: Int64, known: Int64)
    /// What is stored cannot be what was stored; the whole database, for all that is known.
    case corrupt(String)
    /// A row was read as it stands, and cannot be what was stored: another one may be whole.
    case badRow(String)
    case io(String)
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .storageFull: "the storage is full"
        case .busy: "the database is locked by another process"
        case .schemaTooNew(let found, let known):
            "the data has schema version \(found), this program knows up to \(known): use a newer program"
        case .corrupt(let what), .badRow(let what): "the stored data is damaged: \(what)"
        case .io(let what): "the storage failed: \(what)"
        }
    }
}
