import Foundation

/// One account on one machine: a name and the places of its files (XDG Base Directory Specification 0.8). A value.
///
/// Configuration, credentials and state stand apart, none in a cache directory: state holds bytes that the server may
/// not have yet.
package struct Profile: Hashable, Sendable {
    package let name: String
    /// `$XDG_CONFIG_HOME/dbxfs/<name>`: settings that a person may edit.
    package let configDirectory: String
    /// `$XDG_DATA_HOME/dbxfs/<name>`: credentials, `state.db`, `segments/`, the lock.
    package let dataDirectory: String
    /// `$XDG_STATE_HOME/dbxfs/<name>`: the log.
    package let logDirectory: String
    /// The control socket, in `$XDG_RUNTIME_DIR/dbxfs`, or beside the state where there is no such directory.
    package let socketPath: String

    package var configFile: String { configDirectory + "/config.json" }
    package var credentialsFile: String { dataDirectory + "/credentials.json" }
    package var transferFile: String { dataDirectory + "/transfer.json" }
    package var activityFile: String { dataDirectory + "/activity" }
    package var recoveryFile: String { dataDirectory + "/recovery.json" }
    package var lockFile: String { dataDirectory + "/daemon.lock" }
    package var logFile: String { logDirectory + "/log" }

    package init(name: String, directories: BaseDirectories) throws(ClientFailure) {
        let allowed = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [0x2D, 0x2E, 0x5F].contains(byte)
        }
        guard allowed, (1...64).contains(name.utf8.count), !name.hasPrefix(".") else {
            throw ClientFailure(
                .usage, "“\(name)” is no profile name",
                remedy: "Use 1 to 64 letters, digits, '-', '_' and '.', not beginning with '.'.")
        }
        self.name = name
        configDirectory = directories.config + "/dbxfs/" + name
        dataDirectory = directories.data + "/dbxfs/" + name
        logDirectory = directories.state + "/dbxfs/" + name
        socketPath = directories.runtime.map { "\($0)/dbxfs/\(name).sock" } ?? dataDirectory + "/control.sock"
    }

    /// The profiles that have settings or a state here, by name.
    package static func all(in directories: BaseDirectories) -> [Profile] {
        let names = [directories.config, directories.data].flatMap { base in
            (try? FileManager.default.contentsOfDirectory(atPath: base + "/dbxfs")) ?? []
        }
        return Set(names).sorted().compactMap { try? Profile(name: $0, directories: directories) }
    }
}

/// The XDG base directories as the environment gives them. A value.
package struct BaseDirectories: Hashable, Sendable {
    package var config: String
    package var data: String
    package var state: String
    /// Nil where the session has none (cron, su, containers).
    package var runtime: String?

    /// Relative paths are ignored, as the specification demands.
    package init(environment: [String: String] = ProcessInfo.processInfo.environment) throws(ClientFailure) {
        func absolute(_ variable: String) -> String? {
            guard let path = environment[variable], path.hasPrefix("/") else { return nil }
            return path
        }
        let home = absolute("HOME") ?? NSHomeDirectory()
        guard home.hasPrefix("/") else {
            throw ClientFailure(
                .failed, "There is no home directory", remedy: "Set HOME, or the XDG_*_HOME variables.")
        }
        config = absolute("XDG_CONFIG_HOME") ?? home + "/.config"
        data = absolute("XDG_DATA_HOME") ?? home + "/.local/share"
        state = absolute("XDG_STATE_HOME") ?? home + "/.local/state"
        runtime = absolute("XDG_RUNTIME_DIR").flatMap { FileManager.default.isWritableFile(atPath: $0) ? $0 : nil }
    }
}
