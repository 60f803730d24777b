import CurlHTTP
import DbxClientAPI
import DbxModel
import DbxServerCore
import DbxSystem
import DbxTestKit
import DbxWire

/// The server's routes over a simulated network: what `HTTPDbxAPI` and `DbxServerHTTP` are together, with JSON in between.
/// Belongs to one life of one device.
///
/// Sendable because one thread of a simulation runs at a time.
final class SimulatedAPI: DbxAPI, @unchecked Sendable {
    let host: SimulatedServer
    let link: Link
    let name: String
    let token: String?
    let observer: (any APIObserver)?
    let trace: Trace
    let planted: Planted?
    private let isDead: @Sendable () -> Bool

    init(
        host: SimulatedServer, link: Link, name: String, token: String?, observer: (any APIObserver)?, trace: Trace,
        planted: Planted? = nil, isDead: @escaping @Sendable () -> Bool = { false }
    ) {
        self.host = host
        self.link = link
        self.name = name
        self.token = token
        self.observer = observer
        self.trace = trace
        self.planted = planted
        self.isDead = isDead
    }

    // MARK: One request

    struct Call {
        var name: String
        var cancel: CancelToken?
        var silence: Duration = .seconds(30)
        var mayBeSilent = false
        /// What the server did it can do again: the request came twice.
        var isRepeatable = true
    }

    func send<Answer>(
        _ call: Call, _ body: @escaping (Server) throws -> Answer
    ) throws(APIError) -> Answer {
        observer?.requestWillBeSent()
        do throws(APIError) {
            let answer = try exchange(call, body)
            observer?.serverAnswered()
            return answer
        } catch {
            trace.note("\(name) \(call.name) fails: \(error)")
            if error.problem != nil, error.meaning != .away { observer?.serverAnswered() }
            observer?.requestFailed(error)
            throw error
        }
    }

    private func exchange<Answer>(
        _ call: Call, _ body: @escaping (Server) throws -> Answer
    ) throws(APIError) -> Answer {
        try travel(call)
        let isRepeated = call.isRepeatable && link.repeats()
        let result = try host.perform(body)
        host.requests += 1
        trace.note("\(name) \(call.name) \(Self.outcome(result))")
        if isRepeated { sendAgain(call, body) }
        try travel(call)
        do { return try result.get() } catch { throw APIError(.problem(error)) }
    }

    private static func outcome<Answer>(_ result: Result<Answer, Problem>) -> String {
        switch result {
        case .success: "ok"
        case .failure(let problem):
            "\(problem.status) \(problem.detail) \(problem.entries ?? []) \(problem.nodes ?? [])"
        }
    }

    /// The same request once more, some time later: a proxy that tries again.
    private func sendAgain<Answer>(_ call: Call, _ body: @escaping (Server) throws -> Answer) {
        let delay = Duration.milliseconds(link.entropy.number(below: 5_000))
        host.later(delay) { [host, trace, name] in
            guard let result = try? host.perform(body) else { return }
            trace.note("\(name) \(call.name) once more \(Self.outcome(result))")
        }
    }

    /// One way, if it can be gone.
    private func travel(_ call: Call) throws(APIError) {
        if link.condition == .blackHole || link.loses() { try stay(call) }
        try wait(link.delay, call.cancel)
        switch link.condition {
        case .good, .flaky: break
        case .down: throw APIError(.transport(TransportError(.unreachable, "connection refused")))
        case .blackHole: try stay(call)
        case .portal: throw APIError(.garbage("“\(call.name)” answered with text/html"))
        case .busy:
            if link.stops() {
                let problem = Problem(kind: .tooManyRequests, detail: "Try again later.")
                throw APIError(.problem(problem), retryAfter: link.entropy.chance(50) ? .seconds(1) : nil)
            }
        case .breaking:
            if link.stops() {
                throw APIError(.transport(TransportError(link.entropy.chance(50) ? .lost : .unreachable, "it ended")))
            }
        }
    }

    /// Until the client's patience ends.
    private func stay(_ call: Call) throws(APIError) {
        if call.silence > .seconds(2), !call.mayBeSilent {
            try wait(.seconds(2), call.cancel)
            observer?.serverIsSilent()
            try wait(call.silence - .seconds(2), call.cancel)
        } else {
            try wait(call.silence, call.cancel)
        }
        throw APIError(.transport(TransportError(.timeout, "no answer")))
    }

    func wait(_ duration: Duration, _ cancel: CancelToken?) throws(APIError) {
        let done = Monitor(false)
        if let cancel {
            cancel.wakingOnCancel({ done.update { $0 = true } }) {
                _ = done.wait(timeout: duration) { $0 ? true : nil }
            }
        } else {
            _ = done.wait(timeout: duration) { $0 ? true : nil }
        }
        if isDead() || cancel?.isCancelled == true {
            throw APIError(.transport(TransportError(.cancelled, "cancelled")))
        }
    }

    func caller(_ server: Server) throws -> Caller {
        guard let token else { throw Problem(kind: .unauthenticated, detail: "Log in first.") }
        return try server.authenticate(token: token)
    }

    func decoded<Value: Codable>(_ value: Value) throws(APIError) -> (Value, [UInt8]) {
        do {
            let body = try WireJSON.encode(value)
            return (try WireJSON.decode(Value.self, from: body), body)
        } catch {
            throw APIError(.garbage("an answer makes no sense: \(error)"))
        }
    }
}
