import DbxSystem
import DbxServerHTTP
import Glibc

/// Gets a new password from a person or a script; it never comes as an argument, which others could see.
enum Password {
    static let minimumCharacters = 8

    static func read(fromStandardInput: Bool, for name: String) throws -> String {
        let password: String
        if fromStandardInput {
            guard let line = readLine(strippingNewline: true) else {
                throw ConfigurationError("Standard input is empty; write the password to it as one line.")
            }
            password = line
        } else {
            guard isatty(STDIN_FILENO) == 1 else {
                throw ConfigurationError("There is no terminal to ask for a password on; use --password-stdin.")
            }
            password = try prompt("New password for \(name): ")
            guard try prompt("The same again: ") == password else {
                throw ConfigurationError("The two passwords differ. Run the command again.")
            }
        }
        guard password.count >= minimumCharacters else {
            throw ConfigurationError(
                "The password needs at least \(minimumCharacters) characters. Choose a longer one.")
        }
        return password
    }

    /// Reads a line with the terminal's echo off.
    private static func prompt(_ question: String) throws -> String {
        StandardStreams.writeError(question)
        var before = termios()
        _ = unsafe tcgetattr(STDIN_FILENO, &before)
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            StandardStreams.writeError("\n")
        }
        guard let line = readLine(strippingNewline: true) else {
            throw ConfigurationError("No password was given. Run the command again.")
        }
        return line
    }
}
