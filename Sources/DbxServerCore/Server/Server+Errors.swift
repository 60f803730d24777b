import DbxWire
import DbxServerStores

extension Server {
    /// Runs a request's work: what it throws becomes the problem to answer.
    func answering<Result>(_ body: () throws -> Result) throws(Problem) -> Result {
        do { return try body() } catch { throw problem(from: error) }
    }

    /// The one map from errors to answers. Causes of failures of the server are told to its log, not to clients.
    func problem(from error: any Error) -> Problem {
        if let problem = error as? Problem { return problem }
        configuration.onInternalError("\(error)")
        switch error as? StoreError {
        case .storageFull:
            return Problem(kind: .storageFull, detail: "The server's disk is full; it will take changes again later.")
        case .busy:
            return Problem(kind: .unavailable, detail: "The server is busy; try again in a moment.")
        case .io:
            return Problem(
                kind: .unavailable,
                detail:
                    "The server's disk fails or is read-only; its log says more. Nothing of this was changed: it is "
                    + "taken again when the disk works.")
        case .corrupt, .badRow:
            // SQLite says the same of a read that failed with EIO (SQLITE_IOERR_CORRUPTFS).
            return Problem(
                kind: .internal,
                detail: "The server's data are damaged, or its disk cannot be read: its "
                    + "administrator finds out more with 'dbxfs-server fsck'.")
        default:
            return Problem(kind: .internal, detail: "The server could not do this; its log says why.")
        }
    }

    /// The same for a commit. A row that cannot be read refuses whatever touches it, and nothing else: sent again it would be
    /// refused again.
    func refusal(from error: any Error) -> Problem {
        guard case .badRow = error as? StoreError else { return problem(from: error) }
        configuration.onInternalError("\(error)")
        return Problem(
            kind: .damagedData,
            detail: "What the server has of this is damaged: its administrator mends it with "
                + "'dbxfs-server fsck --repair', or from a backup. Everything else goes on.")
    }

    /// Runs an administrator's command: what it throws becomes a message.
    static func administering<Result>(_ body: () throws -> Result) throws(ServerError) -> Result {
        do {
            return try body()
        } catch let error as ServerError {
            throw error
        } catch let error as StoreError {
            switch error {
            case .storageFull: throw ServerError(.storageFull, "The disk is full.")
            case .corrupt, .badRow:
                throw ServerError(
                    .data,
                    "\(error). Stop the server and run 'dbxfs-server fsck --repair'; what that cannot mend comes back "
                        + "from a backup, with 'dbxfs-server restore'.")
            case .schemaTooNew: throw ServerError(.schemaTooNew, "\(error).")
            default: throw ServerError(.data, "\(error).")
            }
        } catch {
            throw ServerError(.input, "\(error)")
        }
    }
}
