package import DbxModel
import Synchronization

/// Randomness that replays from its seed (SplitMix64). Thread-safe; the order of calls decides what each gets.
package final class SeededEntropy: Entropy, RandomNumberGenerator {
    package let seed: UInt64
    private let state: Mutex<UInt64>

    package init(seed: UInt64) {
        self.seed = seed
        state = Mutex(seed)
    }

    package func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    /// A number in `range`.
    package func number(in range: Range<Int>) -> Int { range.lowerBound + Int(next() % UInt64(range.count)) }

    package func element<Element>(of elements: [Element]) -> Element { elements[number(in: 0..<elements.count)] }
}

/// Time that goes on only when a test says so.
package final class FakeTime: TimeSource {
    private let elapsed = Mutex<Duration>(.zero)
    private let start = Mutex(Timestamp(seconds: 1_800_000_000, nanoseconds: 0))

    package init() {}

    package func now() -> Timestamp {
        let (seconds, attoseconds) = monotonic().components
        return Timestamp(seconds: start.withLock { $0.seconds } + seconds, nanoseconds: attoseconds / 1_000_000_000)
    }

    package func monotonic() -> Duration { elapsed.withLock { $0 } }
    /// Somebody sets the clock; nothing has taken longer for it.
    package func setClock(forwardBySeconds seconds: Int64) {
        start.withLock { $0 = Timestamp(seconds: $0.seconds + seconds, nanoseconds: 0) }
    }

    package func advance(by duration: Duration) { elapsed.withLock { $0 += duration } }
}
