import DbxModel
package import DbxWire
import Synchronization

/// Passes notices of commits on to whoever listens in this process.
///
/// A notice is only a wake-up. Guarded by a lock of its own, under which no receiver is called.
package final class EventHub: Sendable {
    package enum Event: Hashable, Sendable {
        case change(ChangeNotice)
        /// The device was revoked or its user disabled: end the stream.
        case ended
    }

    private struct Listener {
        let device: DeviceID
        let namespaces: [NamespaceID]
        let receive: @Sendable (Event) -> Void
    }

    private struct State {
        var nextID: UInt64 = 0
        var listeners: [UInt64: Listener] = [:]
        var byNamespace: [NamespaceID: Set<UInt64>] = [:]
    }

    private let state = Mutex(State())

    init() {}

    /// How many listen now; for metrics and tests.
    package var listenerCount: Int { state.withLock { $0.listeners.count } }

    func subscribe(
        device: DeviceID, namespaces: [NamespaceID], _ receive: @escaping @Sendable (Event) -> Void
    ) -> EventSubscription {
        let id = state.withLock { state in
            let id = state.nextID
            state.nextID += 1
            state.listeners[id] = Listener(device: device, namespaces: namespaces, receive: receive)
            for namespace in namespaces { state.byNamespace[namespace, default: []].insert(id) }
            return id
        }
        return EventSubscription(id: id, hub: self)
    }

    /// On the calling thread, notices of one namespace in the order given.
    func publish(_ notices: [ChangeNotice]) {
        for notice in notices {
            let receivers = state.withLock { state in
                (state.byNamespace[notice.namespace] ?? []).sorted().compactMap { state.listeners[$0]?.receive }
            }
            for receive in receivers { receive(.change(notice)) }
        }
    }

    func end(_ devices: Set<DeviceID>) {
        let ended = state.withLock { state in
            let ids = state.listeners.filter { devices.contains($0.value.device) }.map(\.key)
            return ids.sorted().compactMap { Self.remove($0, from: &state) }
        }
        for listener in ended { listener.receive(.ended) }
    }

    fileprivate func remove(_ id: UInt64) {
        // The closure is let go outside the lock: it may hold the last reference to another subscription.
        _ = state.withLock { Self.remove(id, from: &$0) }
    }

    private static func remove(_ id: UInt64, from state: inout State) -> Listener? {
        guard let listener = state.listeners.removeValue(forKey: id) else { return nil }
        for namespace in listener.namespaces {
            state.byNamespace[namespace]?.remove(id)
            if state.byNamespace[namespace]?.isEmpty == true { state.byNamespace[namespace] = nil }
        }
        return listener
    }
}

/// One listener. Ends with `cancel()` or when the last reference goes; a call that is under way on another thread may
/// still arrive then.
package final class EventSubscription: Sendable {
    private let id: UInt64
    private let hub: EventHub

    fileprivate init(id: UInt64, hub: EventHub) {
        self.id = id
        self.hub = hub
    }

    deinit { cancel() }

    package func cancel() { hub.remove(id) }
}
