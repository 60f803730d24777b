import DbxModel
import DbxSystem
import Synchronization

/// A computer's clocks: the wall clock may be set, the other one goes on.
final class WallClock: TimeSource {
    private let offset = Mutex(Duration.zero)

    func now() -> Timestamp { SystemTime().now().advanced(by: offset.withLock { $0 }) }
    func monotonic() -> Duration { SystemTime().monotonic() }

    func advance(by step: Duration) { offset.withLock { $0 += step } }
}
