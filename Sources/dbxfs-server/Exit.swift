import DbxSystem
import ArgumentParser
import DbxServerCore
import DbxServerHTTP
import Glibc

/// The exit codes of docs/OPERATIONS.md, and how a command that failed ends.
enum Exit {
    static let failure: Int32 = 1
    static let usage: Int32 = 2
    static let notFound: Int32 = 3
    static let alreadyExists: Int32 = 4
    static let dataUnusable: Int32 = 5
    static let storageFull: Int32 = 6

    static func end(for error: any Error) -> Never {
        switch error {
        case let error as ConfigurationError: end(error.message, usage)
        case let error as ServerError: end(error.message, code(of: error))
        default: break
        }
        // Help and the like are no failures and go to standard output.
        let isUsage = DbxServer.exitCode(for: error) == .validationFailure
        if isUsage { end(DbxServer.fullMessage(for: error), usage, prefix: "") }
        if DbxServer.exitCode(for: error) == .success { DbxServer.exit(withError: error) }
        end("\(error)", failure)
    }

    private static func end(_ message: String, _ code: Int32, prefix: String = "dbxfs-server: ") -> Never {
        StandardStreams.writeError(prefix + message + "\n")
        exit(code)
    }

    private static func code(of error: ServerError) -> Int32 {
        switch error.code {
        case .invalidArgument: usage
        case .notFound: notFound
        case .alreadyExists: alreadyExists
        case .keyFile, .schemaTooNew, .data: dataUnusable
        case .storageFull: storageFull
        case .input: failure
        }
    }
}
