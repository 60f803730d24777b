import DbxServerCore
import DbxSystem
import Glibc
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import UnixSignals

/// The server from start to stop: takes the data directory, opens the core, listens, and on SIGTERM or SIGINT lets
/// running requests finish.
package struct ServingProcess {
    private let configuration: ServiceConfiguration
    private let version: String
    private let logger: Logger

    package init(configuration: ServiceConfiguration, version: String) {
        self.configuration = configuration
        self.version = version
        let level = Logger.Level(rawValue: configuration.logLevel) ?? .info
        logger = Logger(label: "dbxfs-server") { _ in StandardLog(level: level) }
    }

    /// Returns when the server has stopped in order.
    package func run() async throws {
        // A peer that is gone is an error of its own request, never a signal that ends the server.
        _ = signal(SIGPIPE, SIG_IGN)
        let address = try configuration.listenAddress()
        let lock = try DataDirectoryLock(dataDirectory: configuration.data)
        let identity = try identity(for: address)
        let server = try openCore()

        let pool = BlockingPool(threads: configuration.blockingThreads)
        let logins = BlockingPool(threads: 2, limit: 64)
        let commits = try BatchQueue(name: "commits") { server.commit($0) }
        let uploads = try BatchQueue(name: "uploads") { server.confirm($0) }
        let listeners = ListenerRegistry()
        let handler = RequestHandler(
            server: server, pool: pool, logins: logins, commits: commits, uploads: uploads, listeners: listeners,
            version: version, logger: logger)
        let upkeep = Upkeep(server: server, pool: pool, listeners: listeners, logger: logger)
        try await listen(address, identity, handler, upkeep)

        try await pool.stop()
        try await logins.stop()
        commits.stop()
        uploads.stop()
        withExtendedLifetime(lock) { logger.info("stopped") }
    }

    private func openCore() throws -> Server {
        let logger = logger
        let server = try Server.open(
            .init(
                dataDirectory: configuration.data, version: version, time: SystemTime(),
                onInternalError: { logger.error("internal error", metadata: ["cause": .string($0)]) }))
        try server.startServing()
        return server
    }

    /// Nil where plain HTTP is safe and no certificate was given.
    private func identity(for address: ListenAddress) throws -> ServerIdentity? {
        if let certificate = configuration.tlsCertificate, let key = configuration.tlsKey {
            return try ServerIdentity(certificateFile: certificate, keyFile: key)
        }
        if address.isLoopback { return nil }
        return try ServerIdentity.makingOwn(dataDirectory: configuration.data, address: address)
    }

    private func listen(
        _ address: ListenAddress, _ identity: ServerIdentity?, _ handler: RequestHandler, _ upkeep: Upkeep
    ) async throws {
        let http = HTTPServerBuilder.http1(
            configuration: .init(
                idleTimeout: .seconds(90),
                httpDecoderConfiguration: .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10)))
        let builder =
            try identity.map { try HTTPServerBuilder.tls(http, tlsConfiguration: $0.tlsConfiguration) } ?? http
        let service = try builder.buildServer(
            configuration: .init(address: .hostname(address.host, port: address.port), backlog: 1_024),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet(logger)
        ) { request, writer, channel in
            try await handler.respond(to: request, writer, channel)
        } onServerRunning: { channel in
            var bound = address
            bound.port = channel.localAddress?.port ?? address.port
            announce(bound, identity)
        }
        // Stopped from the last to the first: streams must end before the connections can.
        var group = ServiceGroupConfiguration(
            services: [service, upkeep], gracefulShutdownSignals: [.sigterm, .sigint], logger: Self.quiet(logger))
        group.maximumGracefulShutdownDuration = .seconds(configuration.shutdownSeconds)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw ConfigurationError(
                "\(address) is in use. Stop what listens there, or choose another --listen address.")
        } catch let error as IOError where error.errnoCode == EACCES {
            throw ConfigurationError("This user may not listen on \(address). Choose a port above 1023 with --listen.")
        } catch let error as IOError where error.errnoCode == EADDRNOTAVAIL {
            throw ConfigurationError("\(address.host) is no address of this machine. Choose another with --listen.")
        } catch let error as SocketAddressError {
            throw ConfigurationError(
                "The listen address \(address) cannot be found: \(error). Choose another with --listen.")
        }
    }

    /// The frameworks' own notes are of use only when something is wrong.
    private static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }

    private func announce(_ address: ListenAddress, _ identity: ServerIdentity?) {
        StandardStreams.write("listening on \(identity == nil ? "http" : "https")://\(address)\n")
        if let identity { StandardStreams.write("Fingerprint: \(identity.fingerprint)\n") }
        logger.info(
            "started",
            metadata: ["version": .string(version), "data": .string(configuration.data), "address": "\(address)"])
        ServiceNotifier.notify("READY=1")
    }
}
