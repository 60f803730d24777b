import Foundation

/// Reads the configuration from its three places: flags win over the environment, which wins over the file.
///
/// The file is the one named by `--config` or DBXFS_SERVER_CONFIG, else the first that exists of `<data>/config.json`
/// and `/etc/dbxfs-server/config.json`. It is one JSON object; a key that is not known is an error, not a typo that
/// silently does nothing.
package struct ConfigurationSources: Sendable {
    package typealias Key = ServiceConfiguration.Key

    /// Values given on the command line.
    package var flags: [Key: String]
    package var configFile: String?
    package var environment: [String: String]
    package var isRoot: Bool
    package var systemConfigFile = "/etc/dbxfs-server/config.json"

    package init(flags: [Key: String], configFile: String?, environment: [String: String], isRoot: Bool) {
        self.flags = flags
        self.configFile = configFile
        self.environment = environment
        self.isRoot = isRoot
    }

    package func effective() throws(ConfigurationError) -> ServiceConfiguration {
        let file = try fileValues()
        func value(_ key: Key) -> String? { flags[key] ?? environment[key.environmentName] ?? file[key] }

        let configuration = ServiceConfiguration(
            data: value(.data) ?? defaultData,
            listen: value(.listen) ?? ServiceConfiguration.defaultListen,
            tlsCertificate: value(.tlsCertificate), tlsKey: value(.tlsKey),
            logLevel: value(.logLevel) ?? "info",
            blockingThreads: try number(value(.blockingThreads), .blockingThreads, in: 1...256) ?? 16,
            shutdownSeconds: try number(value(.shutdownSeconds), .shutdownSeconds, in: 0...600) ?? 10)
        try check(configuration)
        return configuration
    }

    /// Where data goes when nobody says: systemd's state directory, else the machine's or the user's usual place.
    private var defaultData: String {
        if let state = environment["STATE_DIRECTORY"], !state.isEmpty { return state }
        if isRoot { return "/var/lib/dbxfs-server" }
        if let home = environment["XDG_DATA_HOME"], home.hasPrefix("/") { return home + "/dbxfs-server" }
        return (environment["HOME"] ?? "/tmp") + "/.local/share/dbxfs-server"
    }

    private func number(_ text: String?, _ key: Key, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let text else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw ConfigurationError(
                "\(key.rawValue) is '\(text)', but must be a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    private func check(_ configuration: ServiceConfiguration) throws(ConfigurationError) {
        _ = try configuration.listenAddress()
        if (configuration.tlsCertificate == nil) != (configuration.tlsKey == nil) {
            throw ConfigurationError(
                "A certificate needs its key and a key its certificate: give both --tls-cert and --tls-key, or neither."
            )
        }
        if !ServiceConfiguration.logLevels.contains(configuration.logLevel) {
            throw ConfigurationError(
                "logLevel is '\(configuration.logLevel)', but must be one of "
                    + ServiceConfiguration.logLevels.joined(separator: ", ") + ".")
        }
    }

    // MARK: The file

    private func fileValues() throws(ConfigurationError) -> [Key: String] {
        if let named = configFile ?? environment["DBXFS_SERVER_CONFIG"] {
            guard let bytes = FileManager.default.contents(atPath: named) else {
                throw ConfigurationError(
                    "The configuration file \(named) cannot be read. Check its path and permissions.")
            }
            return try parse(bytes, of: named)
        }
        let data = flags[.data] ?? environment[Key.data.environmentName] ?? defaultData
        for path in [data + "/config.json", systemConfigFile] {
            guard FileManager.default.fileExists(atPath: path) else { continue }
            guard let bytes = FileManager.default.contents(atPath: path) else {
                throw ConfigurationError("The configuration file \(path) cannot be read. Check its permissions.")
            }
            return try parse(bytes, of: path)
        }
        return [:]
    }

    private func parse(_ bytes: Data, of path: String) throws(ConfigurationError) -> [Key: String] {
        let object: [String: FileValue]
        do {
            object = try JSONDecoder().decode([String: FileValue].self, from: bytes)
        } catch {
            throw ConfigurationError(
                "The configuration file \(path) is no JSON object of texts and numbers. Correct it: \(Self.reason(error))"
            )
        }
        var values: [Key: String] = [:]
        for (name, value) in object {
            guard let key = Key(rawValue: name) else {
                throw ConfigurationError(
                    "The configuration file \(path) has the unknown key '\(name)'. Known are "
                        + Key.allCases.map(\.rawValue).joined(separator: ", ") + ".")
            }
            values[key] = value.text
        }
        return values
    }

    private static func reason(_ error: any Error) -> String {
        guard case .dataCorrupted(let context) = error as? DecodingError else { return "\(error)" }
        return context.underlyingError.map { "\($0)" } ?? context.debugDescription
    }

    /// Texts and whole numbers are equally welcome: `"blockingThreads": 16`.
    private struct FileValue: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                text = String(number)
            } else {
                text = try container.decode(String.self)
            }
        }
    }
}
