import DbxModel
import DbxWire

/// A bug of ours, planted where the simulation can put it without the programs' help: it must be found.
enum Planted: String, CaseIterable, Sendable {
    /// The local disk says that the database's log is synced, and it is not.
    case databaseLogNotSynced
    case segmentsNotSynced
    case epochRecordNotSynced
    /// The first page of a pull is applied as if it were the last.
    case pageAppliedEarly
    /// A pull does not bring that something is gone.
    case tombstoneLost
    /// The commit under way is not there any more after a restart.
    case commitNotKept
    /// The server's disk says that its database is synced, and it is not.
    case serverLogNotSynced

    func change(_ page: ChangesPage) -> ChangesPage? {
        var page = page
        switch self {
        case .pageAppliedEarly: page.complete = true
        case .tombstoneLost:
            page.entries.removeAll { $0.node == nil }
            page.nodes.removeAll(where: \.deleted)
        default: return nil
        }
        return page
    }

    func ignoresSync(of path: String, on machine: String) -> Bool {
        let onServer = machine == "server"
        return switch self {
        case .databaseLogNotSynced: !onServer && path.hasSuffix("/state.db-wal")
        case .segmentsNotSynced: !onServer && path.hasSuffix(".seg")
        case .epochRecordNotSynced: !onServer && path.hasSuffix("/state.epoch")
        case .serverLogNotSynced: onServer && path.hasSuffix("/metadata.db-wal")
        default: false
        }
    }
}
