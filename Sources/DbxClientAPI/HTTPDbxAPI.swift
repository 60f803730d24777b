package import CurlHTTP
package import DbxModel
import DbxWire
import Zstd

/// `DbxAPI` over HTTP. Sendable: its pools are, and nothing else changes.
package final class HTTPDbxAPI: Sendable {
    let endpoint: ServerEndpoint
    private let token: String?
    private let observer: (any APIObserver)?
    private let time: any TimeSource
    private let pool: ConnectionPool
    /// For signed URLs elsewhere (an object store): there the pinned certificate says nothing.
    private let foreignPool: ConnectionPool
    private let coding = ZstdCoding()
    private let lost = LostConnections()

    /// How long the server may owe an answer before the observer hears of it.
    private static let silenceNotice: Duration = .seconds(2)
    /// What is made anew on another connection: a larger body may still be on its way.
    private static let repeatableBytes = 64 << 10

    /// - Parameter token: nil only to log in.
    package init(
        endpoint: ServerEndpoint, token: String?, time: any TimeSource, rates: RateLimits? = nil,
        observer: (any APIObserver)? = nil
    ) {
        self.endpoint = endpoint
        self.token = token
        self.observer = observer
        self.time = time
        pool = ConnectionPool(trust: endpoint.trust, time: time, rates: rates)
        foreignPool = ConnectionPool(trust: .system, time: time, rates: rates)
    }

    /// The machine has slept: connections that are not in use may be dead without a sign of it.
    package func closeIdleConnections() {
        pool.closeIdle()
        foreignPool.closeIdle()
    }

    /// The server has answered on a new connection: what is silent on others is asked for anew.
    func answeredAnew() {
        closeIdleConnections()
        lost.prove()
    }

    // MARK: One request

    struct Call {
        var method: HTTPMethod
        var url: String
        var body: [UInt8] = []
        var contentType: String?
        var extraHeaders: [(name: String, value: String)] = []
        /// Media types that an answer may have, the best one first.
        var accept = ["application/json"]
        var limits = HTTPLimits()
        var limitBytes = 1 << 20
        /// Whether a body is sent compressed, and an answer may come so; never where secrets are in it.
        var isCompressed = false
        /// Set for what is sent to another origin with its own authority.
        var isForeign = false
        /// Signed URLs carry their own leave.
        var sendsToken = true
        /// Requests on which silence is normal.
        var mayBeSilent = false
        /// Blocks: what the user's limits of rates hold back.
        var isBulk = false
        /// Asks for a connection of its own.
        var isFresh = false
    }

    /// Sends the call and returns an answer of status 200 to 299 with the media type asked for, where it has a body.
    func send(_ call: Call, into receiver: HTTPReceiver? = nil, cancel: CancelToken?) throws(APIError) -> HTTPResponse {
        observer?.requestWillBeSent()
        do throws(APIError) {
            let response = try decoded(try exchange(call, receiver, cancel), limitBytes: call.limitBytes)
            if response.status >= 300 { throw Self.error(of: response) }
            guard response.body.isEmpty || response.head.mediaType.map(call.accept.contains) ?? false else {
                throw APIError(.garbage("“\(call.url)” answered with \(response.head.mediaType ?? "no media type")"))
            }
            observer?.serverAnswered()
            return response
        } catch {
            if error.problem != nil, error.meaning != .away { observer?.serverAnswered() }
            observer?.requestFailed(error)
            throw error
        }
    }

    private func exchange(
        _ call: Call, _ receiver: HTTPReceiver?, _ cancel: CancelToken?
    ) throws(APIError) -> HTTPResponse {
        var headers = call.extraHeaders
        headers.append(("Accept", call.accept.joined(separator: ", ")))
        if let contentType = call.contentType { headers.append(("Content-Type", contentType)) }
        if call.sendsToken, let token { headers.append(("Authorization", "Bearer " + token)) }
        var body = call.body
        if call.isCompressed {
            headers.append(("Accept-Encoding", ZstdCoding.name))
            if let encoded = coding.encode(body) {
                body = encoded
                headers.append(("Content-Encoding", ZstdCoding.name))
            }
        }
        let request = HTTPRequest(
            call.method, call.url, headers: headers, body: body, limits: call.limits, isBulk: call.isBulk)
        do throws(TransportError) {
            return try perform(request, call, receiver, cancel)
        } catch {
            throw APIError(.transport(error))
        }
    }

    /// Asks once more where the connection turns out to be lost.
    private func perform(
        _ request: HTTPRequest, _ call: Call, _ receiver: HTTPReceiver?, _ cancel: CancelToken?
    ) throws(TransportError) -> HTTPResponse {
        let pool = call.isForeign ? foreignPool : pool
        let isRepeatable = receiver == nil && (call.method == .get || call.body.count <= Self.repeatableBytes)
        let isWatched = isRepeatable || call.method == .get
        do throws(TransportError) {
            return try pool.withConnection(isFresh: call.isFresh) { connection throws(TransportError) in
                try connection.perform(
                    request, into: receiver ?? .collect(limitBytes: call.limitBytes), cancel: cancel,
                    silence: notice(of: call, lost: isWatched ? lost : nil))
            }
        } catch {
            guard error.kind == .lost, isRepeatable else { throw error }
        }
        return try pool.withConnection(isFresh: true) { connection throws(TransportError) in
            try connection.perform(
                request, into: .collect(limitBytes: call.limitBytes), cancel: cancel,
                silence: notice(of: call, lost: nil))
        }
    }

    private func notice(of call: Call, lost: LostConnections?) -> HTTPConnection.SilenceNotice? {
        guard let observer, !call.isForeign, !call.isFresh else { return nil }
        if call.mayBeSilent { return HTTPConnection.SilenceNotice(after: .zero, lost: lost) {} }
        return HTTPConnection.SilenceNotice(after: Self.silenceNotice, lost: lost) { observer.serverIsSilent() }
    }

    private func decoded(_ response: HTTPResponse, limitBytes: Int) throws(APIError) -> HTTPResponse {
        guard let name = response.head.headers["content-encoding"] else { return response }
        guard name == ZstdCoding.name else { throw APIError(.garbage("the server answered in the coding \(name)")) }
        do throws(ZstdError) {
            return HTTPResponse(
                head: response.head, body: try coding.decode(response.body, limitBytes: limitBytes))
        } catch {
            throw APIError(.garbage("the server's answer cannot be decompressed: \(error)"))
        }
    }

    /// What an answer of status 300 and more means.
    private static func error(of response: HTTPResponse) -> APIError {
        let retryAfter = response.head.headers["retry-after"].flatMap { Int($0) }.map { Duration.seconds(max(0, $0)) }
        if response.head.mediaType == "application/problem+json",
            let problem = try? WireJSON.decode(Problem.self, from: response.body)
        {
            return APIError(.problem(problem), retryAfter: retryAfter)
        }
        if let location = response.head.headers["location"] {
            return APIError(.garbage("the server redirects to \(location)"))
        }
        return APIError(.garbage("status \(response.status) without problem details"), retryAfter: retryAfter)
    }

    // MARK: JSON

    /// What a route's path becomes, with its query; both percent-encoded here.
    func url(_ route: Route, _ parameters: [String: String] = [:], query: [(String, String)] = []) -> String {
        var path = route.rawValue
        for (name, value) in parameters { path = path.replacing("{\(name)}", with: Self.percentEncoded(value)) }
        let pairs = query.map { "\($0.0)=\(Self.percentEncoded($0.1))" }
        return endpoint.base + path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + [byte].hex.uppercased()
            }
        }
    }

    func decode<Value: Decodable>(_ type: Value.Type, from response: HTTPResponse) throws(APIError) -> Value {
        do {
            return try WireJSON.decode(type, from: response.body)
        } catch {
            throw APIError(.garbage("the server's answer is not a \(type): \(error)"))
        }
    }

    func encode(_ value: some Encodable) throws(APIError) -> [UInt8] {
        do {
            return try WireJSON.encode(value)
        } catch {
            throw APIError(.garbage("cannot encode the request: \(error)"))
        }
    }
}
