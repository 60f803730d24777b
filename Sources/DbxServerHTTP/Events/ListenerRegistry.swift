import DbxModel
import DbxServerCore
import DbxWire
import Synchronization

/// Who listens now: to end them when the server stops, when a device is revoked, or when one device holds too many.
final class ListenerRegistry: Sendable {
    /// A device that opens more loses its oldest: a client that reconnects is never locked out by its own lost streams.
    static let listenersPerDevice = 16

    private struct State {
        /// Oldest first.
        var byDevice: [DeviceID: [Listener]] = [:]
        var closed = false
    }

    private let state = Mutex(State())

    /// One stream or poll. Leaves the registry and ends its subscription when the last reference goes.
    final class Registration: Sendable {
        let mailbox: EventMailbox
        private let caller: Caller
        private let registry: ListenerRegistry
        private let subscription = Mutex<EventSubscription?>(nil)

        fileprivate init(caller: Caller, mailbox: EventMailbox, registry: ListenerRegistry) {
            self.caller = caller
            self.mailbox = mailbox
            self.registry = registry
        }

        deinit {
            subscription.withLock { $0.take() }?.cancel()
            registry.remove(mailbox, of: caller.device)
        }

        /// From now on the mailbox gets every notice of the caller's namespaces.
        func subscribe(to server: Server) throws(Problem) {
            let subscription = try server.subscribe(caller) { [mailbox] event in
                switch event {
                case .change(let notice): mailbox.post(notice)
                case .ended: mailbox.end()
                }
            }
            self.subscription.withLock { $0 = subscription }
        }
    }

    private struct Listener: Sendable {
        let caller: Caller
        let mailbox: EventMailbox
    }

    func register(_ caller: Caller) throws(Problem) -> Registration {
        let mailbox = EventMailbox()
        let (closed, oldest) = state.withLock { state -> (Bool, EventMailbox?) in
            if state.closed { return (true, nil) }
            state.byDevice[caller.device, default: []].append(Listener(caller: caller, mailbox: mailbox))
            guard let listeners = state.byDevice[caller.device], listeners.count > Self.listenersPerDevice else {
                return (false, nil)
            }
            return (false, state.byDevice[caller.device]?.removeFirst().mailbox)
        }
        if closed { throw Problem(kind: .unavailable, detail: "The server stops; try again in a few seconds.") }
        oldest?.end()
        return Registration(caller: caller, mailbox: mailbox, registry: self)
    }

    private func remove(_ mailbox: EventMailbox, of device: DeviceID) {
        state.withLock { state in
            state.byDevice[device]?.removeAll { $0.mailbox === mailbox }
            if state.byDevice[device]?.isEmpty == true { state.byDevice[device] = nil }
        }
    }

    /// Ends the listeners whose device or user may no longer ask, as another process may have decided. Blocks on the
    /// store; a store that fails ends nobody.
    func endRevoked(_ server: Server) {
        let callers = state.withLock { $0.byDevice.values.compactMap(\.first?.caller) }
        for caller in callers {
            do throws(Problem) {
                _ = try server.heads(caller, after: nil)
            } catch {
                guard error.kind == .unauthenticated || error.kind == .forbidden else { continue }
                for listener in state.withLock({ $0.byDevice[caller.device] ?? [] }) { listener.mailbox.end() }
            }
        }
    }

    /// Ends all, and lets nobody in any more: the server stops.
    func close() {
        let listeners = state.withLock { state in
            state.closed = true
            return state.byDevice.values.flatMap { $0 }
        }
        for listener in listeners { listener.mailbox.end() }
    }
}
