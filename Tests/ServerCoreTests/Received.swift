import DbxServerCore
import Synchronization

/// Collects events from any thread.
final class Received: Sendable {
    private let all = Mutex<[EventHub.Event]>([])

    var events: [EventHub.Event] { all.withLock { $0 } }
    func append(_ event: EventHub.Event) { all.withLock { $0.append(event) } }
}
