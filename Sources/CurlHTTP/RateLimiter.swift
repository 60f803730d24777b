package import DbxModel
internal import Synchronization

/// How fast bytes may go in one direction, over all connections that share it. Bytes are counted when they have gone, so
/// the bucket may be in debt; who is told to wait waits until it is paid.
///
/// Sendable; the lock is held for the arithmetic only.
package final class RateLimiter: Sendable {
    private let bucket = Mutex(TokenBucket())
    private let time: any TimeSource

    package init(time: any TimeSource) { self.time = time }

    /// Nil: no limit. Counts from now on.
    package func set(bytesPerSecond: Int64?) {
        let now = time.monotonic()
        bucket.withLock { $0 = TokenBucket(bytesPerSecond: bytesPerSecond, now: now) }
    }

    package var bytesPerSecond: Int64? { bucket.withLock { $0.bytesPerSecond } }

    /// How much may go at once: at most a twentieth of a second's worth, within what curl takes for a buffer.
    func piece(_ bytes: Int) -> Int {
        bytesPerSecond.map { min(bytes, max(16 << 10, Int($0 / 20))) } ?? bytes
    }

    func count(_ bytes: Int) {
        guard bytes > 0 else { return }
        let now = time.monotonic()
        bucket.withLock { $0.take(bytes, now: now) }
    }

    /// Zero when bytes may go now.
    func delay() -> Duration {
        let now = time.monotonic()
        return bucket.withLock { $0.delay(now: now) }
    }
}

/// The limiters of both directions.
package struct RateLimits: Sendable {
    package let up: RateLimiter
    package let down: RateLimiter

    package init(time: any TimeSource) {
        up = RateLimiter(time: time)
        down = RateLimiter(time: time)
    }
}

/// One request's part in the rates of all. Used on the performing thread only.
final class Pace {
    private let rates: RateLimits?
    private let isBulk: Bool
    private let isUpload: Bool
    private var sent = 0
    /// The connection holds the request, or curl does because a piece was not taken.
    var isHeld = false

    init(_ rates: RateLimits?, isBulk: Bool, isUpload: Bool = false) {
        self.rates = rates
        self.isBulk = isBulk
        self.isUpload = isUpload
    }

    /// How long the request has to wait before more of it may go; the answer to an upload is no matter of the other way.
    var delay: Duration {
        guard let rates, isBulk else { return .zero }
        return isUpload ? rates.up.delay() : rates.down.delay()
    }

    var mustWait: Bool { delay > .zero }

    /// `total`: of the request so far.
    func countSent(total: Int) {
        rates?.up.count(total - sent)
        sent = max(sent, total)
    }

    func mayReceive(_ bytes: Int) -> Bool {
        if isBulk, !isUpload, let rates, rates.down.delay() > .zero {
            isHeld = true
            return false
        }
        rates?.down.count(bytes)
        return true
    }
}

/// Tokens gather at a rate, up to a twentieth of a second's worth; taking more than there are makes a debt, so that what
/// has gone after any time differs from rate times time by that much and one piece. Pure.
struct TokenBucket: Sendable {
    private(set) var bytesPerSecond: Int64?
    private var tokens: Double = 0
    private var filledAt: Duration = .zero

    init(bytesPerSecond: Int64? = nil, now: Duration = .zero) {
        self.bytesPerSecond = bytesPerSecond
        filledAt = now
    }

    mutating func take(_ bytes: Int, now: Duration) {
        guard bytesPerSecond != nil else { return }
        fill(now)
        tokens -= Double(bytes)
    }

    mutating func delay(now: Duration) -> Duration {
        guard let bytesPerSecond else { return .zero }
        fill(now)
        return tokens >= 0 ? .zero : .seconds(-tokens / Double(bytesPerSecond))
    }

    private mutating func fill(_ now: Duration) {
        guard let bytesPerSecond, now > filledAt else { return }
        let rate = Double(bytesPerSecond)
        tokens = min(rate / 20, tokens + rate * ((now - filledAt) / .seconds(1)))
        filledAt = now
    }
}
