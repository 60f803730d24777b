import ArgumentParser
import DbxServerCore
import DbxServerHTTP
import DbxSystem
import Foundation
import Glibc

/// Where the server's data and configuration are: the options that every command shares.
struct DataOptions: ParsableArguments {
    @Option(help: "The data directory. (default: /var/lib/dbxfs-server, or ~/.local/share/dbxfs-server)")
    var data: String?

    @Option(help: "The configuration file. (default: DATA/config.json or /etc/dbxfs-server/config.json)")
    var config: String?

    func configuration(
        _ flags: [DbxServerHTTP.ServiceConfiguration.Key: String] = [:]
    ) throws -> DbxServerHTTP.ServiceConfiguration {
        var flags = flags
        flags[.data] = data
        return try ConfigurationSources(
            flags: flags, configFile: config, environment: ProcessInfo.processInfo.environment, isRoot: geteuid() == 0
        ).effective()
    }

    /// The server's data, beside a server that may be running.
    func openServer() throws -> Server {
        try Server.open(try coreConfiguration())
    }

    func coreConfiguration() throws -> DbxServerCore.ServerConfiguration {
        let configuration = try configuration()
        return .init(
            dataDirectory: configuration.data, version: DbxServer.version, time: SystemTime(),
            onInternalError: { StandardStreams.writeError("dbxfs-server: \($0)\n") })
    }
}

/// Prints values as JSON for programs.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    StandardStreams.write(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
}
