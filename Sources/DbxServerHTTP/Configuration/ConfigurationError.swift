/// What is wrong with how the server was started, for the person who started it: what, where, and what to do next.
package struct ConfigurationError: Error, CustomStringConvertible {
    package let message: String

    package init(_ message: String) { self.message = message }

    package var description: String { message }
}
