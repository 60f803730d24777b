import DbxModel
import Testing

@testable import CurlHTTP

@Suite("A limit of a rate")
struct RateLimiterTests {
    /// Four connections that send pieces whenever they may, for a while, on a clock of their own.
    private func sent(rate: Int64, piece: Int, for time: Duration) -> Int {
        var bucket = TokenBucket(bytesPerSecond: rate)
        var now = Duration.zero
        var total = 0
        while now < time {
            let delay = bucket.delay(now: now)
            if delay > .zero {
                now += delay
                continue
            }
            bucket.take(piece, now: now)
            total += piece
        }
        return total
    }

    @Test("holds within 5 percent over ten seconds", arguments: [64 << 10, 1 << 20, 100 << 20])
    func holds(rate: Int64) {
        let expected = Double(rate) * 10
        let total = Double(sent(rate: rate, piece: 16 << 10, for: .seconds(10)))
        #expect(abs(total - expected) <= expected * 0.05)
    }

    @Test("lets no more than a twentieth of a second gather while nothing goes")
    func burst() {
        var bucket = TokenBucket(bytesPerSecond: 1_000_000)
        bucket.take(50_000, now: .seconds(100))
        #expect(bucket.delay(now: .seconds(100)) == .zero)
        bucket.take(1_000, now: .seconds(100))
        #expect(bucket.delay(now: .seconds(100)) > .zero)
    }

    @Test("that is none holds nobody")
    func none() {
        var bucket = TokenBucket()
        bucket.take(.max, now: .zero)
        #expect(bucket.delay(now: .zero) == .zero)
    }
}
