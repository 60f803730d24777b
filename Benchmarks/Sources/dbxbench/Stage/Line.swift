import Foundation
import Synchronization

/// A link with a round trip and a rate in each direction.
struct Link {
    let name: String
    let roundTrip: Double
    let bytesPerSecond: Double

    /// What docs/PERFORMANCE.md calls N and B.
    static let all = [
        Link(name: "N", roundTrip: 0.020, bytesPerSecond: 100e6), Link(name: "B", roundTrip: 0.050, bytesPerSecond: 12.5e6),
    ]
}

/// One direction of a link, shared by all connections: what enters leaves in order at the link's rate, and arrives half a
/// round trip later. Enters no faster than a queue of 50 ms takes it.
final class Line: Sendable {
    private static let queue: Duration = .milliseconds(50)
    private let link: Link
    private let free: Mutex<ContinuousClock.Instant>

    init(_ link: Link) {
        self.link = link
        free = Mutex(.now)
    }

    var roundTrip: Duration { .seconds(link.roundTrip) }

    /// When bytes that enter now arrive. Waits while the queue is full.
    func enter(_ count: Int) -> ContinuousClock.Instant {
        let left = free.withLock { free in
            free = max(free, .now) + .seconds(Double(count) / link.bytesPerSecond)
            return free
        }
        sleepUntil(left - Self.queue)
        return left + .seconds(link.roundTrip / 2)
    }
}

/// What is on its way in one direction of one connection.
///
/// `@unchecked Sendable`: all that changes is guarded by the condition, which two threads wait on.
final class Flight: @unchecked Sendable {
    private let condition = NSCondition()
    private var pieces: [(arrival: ContinuousClock.Instant, bytes: [UInt8])] = []
    private var isEnded = false

    func add(_ bytes: [UInt8], arrival: ContinuousClock.Instant) {
        condition.lock()
        pieces.append((arrival, bytes))
        condition.signal()
        condition.unlock()
    }

    func end() {
        condition.lock()
        isEnded = true
        condition.signal()
        condition.unlock()
    }

    /// The next bytes, when they have arrived; nil at the end.
    func next() -> [UInt8]? {
        condition.lock()
        while pieces.isEmpty, !isEnded { condition.wait() }
        let first = pieces.isEmpty ? nil : pieces.removeFirst()
        condition.unlock()
        guard let first else { return nil }
        sleepUntil(first.arrival)
        return first.bytes
    }
}

func sleepUntil(_ moment: ContinuousClock.Instant) {
    let left = (moment - .now).seconds
    if left > 0 { usleep(UInt32(left * 1e6)) }
}
