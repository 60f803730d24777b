import DbxModel
import DbxWire
import Synchronization

/// Who listens to which namespace. Publishing costs what the namespace's own listeners cost, not all of them.
///
/// Lock order: `state` before a mailbox's own lock.
final class EventHub: Sendable {
    /// One device may hold this many streams and polls; more means that it leaks them.
    static let listenersPerDevice = 32

    struct Listener: Sendable {
        let mailbox: EventMailbox
        let device: DeviceID
        let namespaces: [NamespaceID]
    }

    private struct State {
        var byNamespace: [NamespaceID: [ObjectIdentifier: EventMailbox]] = [:]
        var byDevice: [DeviceID: [ObjectIdentifier: EventMailbox]] = [:]
        var closed = false
    }

    private let state = Mutex(State())

    /// From now on the listener misses nothing in these namespaces. Must be given back to `unsubscribe`.
    func subscribe(device: DeviceID, namespaces: [NamespaceID]) throws(Problem) -> Listener {
        let listener = Listener(mailbox: EventMailbox(), device: device, namespaces: namespaces)
        let id = ObjectIdentifier(listener.mailbox)
        let refusal: Problem? = state.withLock { state in
            if state.closed { return Problem(kind: .unavailable, detail: "The server stops; try again in a few seconds.") }
            if state.byDevice[device, default: [:]].count >= Self.listenersPerDevice {
                return Problem(
                    kind: .tooManyRequests,
                    detail: "This device listens \(Self.listenersPerDevice) times already; end a stream before the next.")
            }
            state.byDevice[device, default: [:]][id] = listener.mailbox
            for namespace in namespaces { state.byNamespace[namespace, default: [:]][id] = listener.mailbox }
            return nil
        }
        if let refusal { throw refusal }
        return listener
    }

    func unsubscribe(_ listener: Listener) {
        let id = ObjectIdentifier(listener.mailbox)
        state.withLock { state in
            state.byDevice[listener.device]?[id] = nil
            if state.byDevice[listener.device]?.isEmpty == true { state.byDevice[listener.device] = nil }
            for namespace in listener.namespaces {
                state.byNamespace[namespace]?[id] = nil
                if state.byNamespace[namespace]?.isEmpty == true { state.byNamespace[namespace] = nil }
            }
        }
    }

    func publish(_ notice: ChangeNotice) {
        let mailboxes = state.withLock { $0.byNamespace[notice.namespace].map { Array($0.values) } } ?? []
        for mailbox in mailboxes { mailbox.post(notice) }
    }

    var devices: [DeviceID] { state.withLock { Array($0.byDevice.keys) } }

    /// Ends what the device listens to: its token is revoked.
    func end(device: DeviceID) {
        let mailboxes = state.withLock { $0.byDevice[device].map { Array($0.values) } } ?? []
        for mailbox in mailboxes { mailbox.end() }
    }

    /// Ends all, and lets nobody in any more: the server stops.
    func close() {
        let mailboxes = state.withLock { state in
            state.closed = true
            return state.byDevice.values.flatMap(\.values)
        }
        for mailbox in mailboxes { mailbox.end() }
    }
}
