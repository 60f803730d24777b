/// Everything that can be set about a server, as it is in effect. Made by `ConfigurationSources` only.
package struct ServiceConfiguration: Hashable, Sendable, Codable {
    /// The directory that holds accounts, trees, blocks and keys.
    package var data: String
    /// `HOST:PORT`.
    package var listen: String
    /// PEM files; either both or none. Without them a public address gets a certificate of the server's own making.
    package var tlsCertificate: String?
    package var tlsKey: String?
    /// `trace`, `debug`, `info`, `notice`, `warning`, `error` or `critical`.
    package var logLevel: String
    /// Threads that wait for the disk and the database, so many requests are in the core at a time.
    package var blockingThreads: Int
    /// How long running requests may take to finish when the server stops.
    package var shutdownSeconds: Int

    package static let defaultListen = "127.0.0.1:8465"
    package static let logLevels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

    /// The keys of the configuration file, in the order in which `dbxfs-server config` explains them.
    package enum Key: String, CaseIterable, Sendable {
        case data, listen, tlsCertificate, tlsKey, logLevel, blockingThreads, shutdownSeconds

        /// `DBXFS_SERVER_TLS_CERTIFICATE` for `tlsCertificate`.
        package var environmentName: String {
            "DBXFS_SERVER_"
                + rawValue.map { $0.isUppercase ? "_\($0)" : $0.uppercased() }.joined()
        }
    }

    package func listenAddress() throws(ConfigurationError) -> ListenAddress {
        guard let address = ListenAddress(listen) else {
            throw ConfigurationError(
                "The listen address '\(listen)' is not HOST:PORT. Write for example 127.0.0.1:8465, [::1]:8465 or :8465."
            )
        }
        return address
    }
}
