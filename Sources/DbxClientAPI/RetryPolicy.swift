/// When to try again: exponential backoff with full jitter (every delay is drawn from zero to the current limit, so that
/// clients that failed together do not come back together). Pure: the caller brings the randomness and does the waiting.
package struct RetryPolicy: Hashable, Sendable {
    private let first: Duration
    private let longest: Duration
    package private(set) var failures = 0

    package init(first: Duration = .milliseconds(200), longest: Duration = .seconds(30)) {
        self.first = first
        self.longest = longest
    }

    /// The delay after one more failure: never shorter than what the server asked for, nor, for that, longer than ten
    /// times `longest`.
    package mutating func delayAfterFailure(retryAfter: Duration? = nil, random: UInt64) -> Duration {
        let limit = min(longest, first * (1 << min(failures, 20)))
        failures += 1
        let drawn = limit * (Double(random >> 11) * 0x1p-53)
        guard let retryAfter else { return drawn }
        return min(retryAfter, longest * 10) + drawn
    }

    package mutating func succeeded() { failures = 0 }
}

/// Keeps retries from becoming a storm: each success earns a tenth of a retry, at most `capacity` are saved up. A caller
/// without leave waits as long as its policy's longest delay.
package struct RetryBudget: Hashable, Sendable {
    private let capacity: Int
    private var tenths: Int

    package init(capacity: Int = 20) {
        self.capacity = capacity
        tenths = capacity * 10
    }

    package mutating func earn() { tenths = min(capacity * 10, tenths + 1) }

    /// Whether one retry may be made soon.
    package mutating func spend() -> Bool {
        guard tenths >= 10 else { return false }
        tenths -= 10
        return true
    }
}
