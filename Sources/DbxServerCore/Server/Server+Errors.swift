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
        default:
            return Problem(kind: .internal, detail: "The server could not do this; its log says why.")
        }
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
            case .schemaTooNew: throw ServerError(.schemaTooNew, "\(error).")
            default: throw ServerError(.data, "\(error).")
            }
        } catch {
            throw ServerError(.input, "\(error)")
        }
    }
}
