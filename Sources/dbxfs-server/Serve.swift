import ArgumentParser
import DbxServerHTTP
import Glibc

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server.",
        discussion: """
            Prints 'listening on URL' as its first line. On an address that other machines can reach it speaks TLS \
            only, with the given certificate or one that it makes and whose fingerprint it prints for 'dbxfs login'. \
            SIGTERM and SIGINT stop it in order.
            """)

    @OptionGroup var options: ServeOptions

    func run() async throws {
        try await ServingProcess(configuration: try options.configuration(), version: DbxServer.version).run()
        // Framework threads may still be around; all data is on the disk.
        Glibc.exit(0)
    }
}

/// The options that change what `serve` does; `config` shows their effect.
struct ServeOptions: ParsableArguments {
    @OptionGroup var data: DataOptions

    @Option(help: "HOST:PORT to listen on; port 0 takes a free one. (default: 127.0.0.1:8465)")
    var listen: String?

    @Option(help: "The port, where only it differs from the default.")
    var port: UInt16?

    @Option(name: .customLong("tls-cert"), help: "The certificate chain, a PEM file.")
    var tlsCertificate: String?

    @Option(name: .customLong("tls-key"), help: "The certificate's key, a PEM file.")
    var tlsKey: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical. (default: info)")
    var logLevel: String?

    @Option(help: "Threads that wait for disk and database. (default: 16)")
    var blockingThreads: Int?

    @Option(help: "Seconds that running requests may take when the server stops. (default: 10)")
    var shutdownSeconds: Int?

    func configuration() throws -> ServiceConfiguration {
        var flags: [ServiceConfiguration.Key: String] = [:]
        flags[.listen] = listen
        flags[.tlsCertificate] = tlsCertificate
        flags[.tlsKey] = tlsKey
        flags[.logLevel] = logLevel
        flags[.blockingThreads] = blockingThreads.map(String.init)
        flags[.shutdownSeconds] = shutdownSeconds.map(String.init)
        var configuration = try data.configuration(flags)
        if let port {
            var address = try configuration.listenAddress()
            address.port = Int(port)
            configuration.listen = address.description
        }
        return configuration
    }
}

struct ShowConfiguration: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Print the configuration in effect, as JSON.")

    @OptionGroup var options: ServeOptions

    func run() throws { try printJSON(try options.configuration()) }
}

struct ShowFingerprint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fingerprint", abstract: "Print the fingerprint of the server's certificate.")

    @OptionGroup var options: DataOptions

    func run() throws {
        let configuration = try options.configuration()
        if let certificate = configuration.tlsCertificate, let key = configuration.tlsKey {
            print(try ServerIdentity(certificateFile: certificate, keyFile: key).fingerprint)
        } else if let own = try ServerIdentity.own(dataDirectory: configuration.data) {
            print(own.fingerprint)
        } else {
            throw ConfigurationError(
                """
                There is no certificate in \(configuration.data). One is made when 'dbxfs-server serve' first listens \
                on an address that other machines can reach.
                """)
        }
    }
}
