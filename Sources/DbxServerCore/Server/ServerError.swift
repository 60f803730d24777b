/// Why the server could not be opened or an administrator's command could not be done: what went wrong, on what, and
/// what to do next. Requests of devices get a `Problem` instead.
package struct ServerError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// A name, password or option that is not allowed.
        case invalidArgument
        case notFound
        case alreadyExists
        /// The key file is missing, unreadable, readable by others, or belongs to other data.
        case keyFile
        /// The data was written by a newer version.
        case schemaTooNew
        /// The data directory cannot be used, or the backup is not whole.
        case data
        case storageFull
        case input
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
