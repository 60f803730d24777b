import DbxModel
import DbxServerCore
import DbxSystem
import DbxWire
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import Zstd

/// Answers requests: finds the operation, checks limits, runs the handler, turns every error into a problem, and logs.
///
/// Handlers live in `Routes/`, one extension per family. They wait for the core only through `pool`, `logins`,
/// `commits` and `uploads`; tokens, passwords, keys and queries are never logged.
struct RequestHandler: Sendable {
    let server: Server
    let pool: BlockingPool
    /// Password hashes take a tenth of a second of one core each: a storm of logins must not starve the rest.
    let logins: BlockingPool
    let commits: BatchQueue<SubmittedCommit, CommitResult>
    /// Receipts for blocks that are on the disk.
    let uploads: BatchQueue<StoredUpload, Void>
    let listeners: ListenerRegistry
    let version: String
    let logger: Logger
    private let routes = RouteTable()
    let coding = ZstdCoding()
    private let date = HTTPDate(time: SystemTime())

    /// A refused body is read up to here to keep the connection; a longer one closes it.
    private static let discardedBytes = 64 << 20

    /// A body that anybody may have taken in.
    private static let trustedBodyBytes = 64 << 10

    private struct ConnectionGivenUp: Error {}

    init(
        server: Server, pool: BlockingPool, logins: BlockingPool, commits: BatchQueue<SubmittedCommit, CommitResult>,
        uploads: BatchQueue<StoredUpload, Void>, listeners: ListenerRegistry, version: String, logger: Logger
    ) {
        self.server = server
        self.pool = pool
        self.logins = logins
        self.commits = commits
        self.uploads = uploads
        self.listeners = listeners
        self.version = version
        self.logger = logger
    }

    @concurrent func respond(
        to request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        let started = ContinuousClock.now
        let id = String(UInt64.random(in: .min ... .max), radix: 16)
        let body = BodyReader(request.body)
        var operation: Operation?
        var failure: String?
        var response: Response
        do {
            let exchange = try admit(request, body, channel)
            operation = exchange.operation
            if exchange.headers[.expect]?.lowercased() == "100-continue" {
                try await writer.writeInformationalHead(.init(status: .continue))
            }
            response = try await answer(exchange)
        } catch {
            let problem = try problem(for: error, &failure)
            response = Answers.problem(problem)
            if case .otherMethods(let methods) = match(request) {
                response.headers[.allow] = methods.joined(separator: ", ")
            }
        }
        complete(&response, for: operation, id)
        log(request, operation, response, id, started.duration(to: .now), failure)
        if request.head.method == .head {
            try await writer.writeResponse(response.head)
        } else {
            try await writer.write(response: response.head, body: response.body)
        }
        if operation != .events, !(try await body.discard(upTo: Self.discardedBytes)) { throw ConnectionGivenUp() }
    }

    private func match(_ request: Request) -> RouteTable.Match {
        let target = request.head.path ?? ""
        return routes.match(method: request.head.method.rawValue, path: target.prefix { $0 != "?" })
    }

    /// What can be refused before the body is read.
    private func admit(_ request: Request, _ body: BodyReader, _ channel: any Channel) throws(Problem) -> Exchange {
        switch match(request) {
        case .unknown:
            throw Problem(kind: .notFound, detail: "There is no such path. /v1/openapi.json lists all that there are.")
        case .otherMethods(let methods):
            throw Problem(kind: .methodNotAllowed, detail: "This path takes \(methods.joined(separator: ", ")).")
        case .operation(let operation, let parameters):
            let exchange = Exchange(
                operation: operation, request: request, parameters: parameters, body: body, channel: channel)
            if let length = exchange.contentLength, length > operation.bodyLimitBytes {
                throw BodyReader.tooLarge(operation.bodyLimitBytes)
            }
            return exchange
        }
    }

    @concurrent private func answer(_ exchange: Exchange) async throws -> Response {
        switch exchange.operation {
        case .health: try health(exchange)
        case .ready: try await ready(exchange)
        case .openAPI: try openAPI(exchange)
        case .login: try await login(exchange)
        case .logout: try await logout(exchange)
        case .session: try await session(exchange)
        case .listDevices: try await listDevices(exchange)
        case .revokeDevice: try await revokeDevice(exchange)
        case .changes: try await changes(exchange)
        case .commit: try await commit(exchange)
        case .readNodes: try await readNodes(exchange)
        case .listDirectory: try await listDirectory(exchange)
        case .listRevisions: try await listRevisions(exchange)
        case .requestUploads: try await requestUploads(exchange)
        case .upload: try await upload(exchange)
        case .storePack: try await storePack(exchange)
        case .readBlocks: try await readBlocks(exchange)
        case .readBlock: try await readBlock(exchange)
        case .events: try await events(exchange)
        case .pollEvents: try await pollEvents(exchange)
        }
    }

    /// Every error that an answer can be given for; a connection that is gone is thrown on. `failure` becomes the cause
    /// that only the log shows.
    private func problem(for error: any Error, _ failure: inout String?) throws -> Problem {
        switch error {
        case let problem as Problem: return problem
        case is CancellationError, is ChannelError, is IOError: throw error
        default:
            if "\(type(of: error))" == "HTTPParserError" { throw error }
            failure = "\(error)"
            return Problem(
                kind: .internal, detail: "This is a fault of the server; its log says more. Try again later.")
        }
    }

    private func complete(_ response: inout Response, for operation: Operation?, _ id: String) {
        response.headers[.date] = date.text
        response.headers[.server] = "dbxfs-server/" + version
        response.headers[.requestID] = id
        if operation?.isPrivate != false, response.headers[.cacheControl] == nil {
            response.headers[.cacheControl] = "private, no-cache"
        }
    }

    private func log(
        _ request: Request, _ operation: Operation?, _ response: Response, _ id: String, _ duration: Duration,
        _ failure: String?
    ) {
        let level: Logger.Level =
            switch response.status.code {
            case 500, 507: .error
            case 400...: .info
            default: .debug
            }
        guard level >= logger.logLevel else { return }
        var metadata: Logger.Metadata = [
            "request": .string(id), "method": .string(request.head.method.rawValue),
            "operation": .string(operation?.rawValue ?? "none"), "status": .stringConvertible(response.status.code),
            "ms": .stringConvertible(Int(duration / .milliseconds(1))),
        ]
        if let failure { metadata["cause"] = .string(failure) }
        logger.log(level: level, "request", metadata: metadata)
    }

    /// Runs `body` on the pool for the device whose token the request carries.
    @concurrent func authenticated<Value: Sendable>(
        _ exchange: Exchange, _ body: @escaping @Sendable (Server, Caller) throws -> Value
    ) async throws -> Value {
        let token = try exchange.token()
        return try await pool.run { [server] in try body(server, try server.authenticate(token: token)) }
    }

    /// The whole body. Before a large one is taken into memory its sender must have shown a token that is good.
    @concurrent func authenticatedBody(_ exchange: Exchange) async throws -> JSONBody {
        _ = try exchange.token()
        if exchange.contentLength.map({ $0 > Self.trustedBodyBytes }) ?? true {
            try await authenticated(exchange) { _, _ in }
        }
        return JSONBody(
            received: try await exchange.wholeBody(), coding: try exchange.isCompressed() ? coding : nil,
            limitBytes: exchange.operation.bodyLimitBytes)
    }

    /// Like `authenticated`, with an answer that is encoded on the pool's thread too.
    @concurrent func answering<Value: Encodable & SendableMetatype>(
        _ exchange: Exchange, _ body: @escaping @Sendable (Server, Caller) throws -> Value
    ) async throws -> Response {
        let coding = exchange.acceptsZstd ? coding : nil
        return try await authenticated(exchange) { server, caller in
            try Answers.json(try body(server, caller), coding: coding)
        }
    }
}

extension HTTPField.Name {
    /// Names the request in the log.
    static let requestID = HTTPField.Name("X-Request-Id")!
}
