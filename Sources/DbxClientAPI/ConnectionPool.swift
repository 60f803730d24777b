import CurlHTTP
import DbxModel
import Synchronization

/// Kept-alive connections that are not in use. As many are open as threads make requests at once; what is idle beyond
/// `maximumIdle` is closed. The lock is held for taking and putting back only.
final class ConnectionPool: Sendable {
    private let idle = Mutex<[HTTPConnection]>([])
    private let trust: HTTPTrust
    private let time: any TimeSource
    private let rates: RateLimits?
    private static let maximumIdle = 40

    init(trust: HTTPTrust, time: any TimeSource, rates: RateLimits?) {
        self.trust = trust
        self.time = time
        self.rates = rates
    }

    func withConnection<Result>(
        isFresh: Bool, _ body: (HTTPConnection) throws(TransportError) -> Result
    ) throws(TransportError) -> Result {
        let known = isFresh ? nil : idle.withLock { $0.popLast() }
        let connection = known ?? HTTPConnection(trust: trust, time: time, rates: rates)
        defer {
            idle.withLock { idle in
                if idle.count < Self.maximumIdle { idle.append(connection) }
            }
        }
        return try body(connection)
    }

    /// Closes what is idle: after a sleep the other side may be gone without a word.
    func closeIdle() { idle.withLock { $0.removeAll() } }
}
