package import DbxClientAPI
package import DbxModel
import DbxSystem

/// Whether the server can be reached: fed by every request as it goes, judged by a thread of its own that asks for the
/// server's health when something looks wrong and, while it is away, again and again.
///
/// A request that fails or is silent for two seconds raises a suspicion; a health request of at most three seconds, on a
/// connection of its own, settles it. So the server is known to be away after five; if it is not, the connections that stay
/// silent are given up (`LostConnections`). Sendable: guarded by its monitor, which is held during no
/// request and no listener.
package final class Connectivity: APIObserver {
    private struct State: Sendable {
        var status: ConnectionStatus
        var isSuspect = false
        /// Ask at once instead of after the delay.
        var isKicked = false
        var isStopped = false
        /// The machine sleeps or is about to: nothing is asked, and no answer counts.
        var isAsleep = false
        /// How often the server's health was asked for.
        var judgements: UInt64 = 0
        var requests: Int64 = 0
        var listeners: [@Sendable (ConnectionStatus.State) -> Void] = []
        /// Changes that the listeners have not been told of.
        var news: [ConnectionStatus.State] = []
        /// A thread is telling them.
        var isTelling = false
    }

    private let state: Monitor<State>
    private let time: any TimeSource
    private let entropy: any Entropy

    package init(time: any TimeSource, entropy: any Entropy) {
        self.time = time
        self.entropy = entropy
        state = Monitor(State(status: ConnectionStatus(state: .connecting, since: time.now())))
    }

    package var status: ConnectionStatus { state.withLock { $0.status } }
    package var isConnected: Bool { status.state == .connected }
    package var requestCount: Int64 { state.withLock { $0.requests } }

    /// Called on whatever thread notices a change, with no lock held, by one thread at a time and in the order of the changes;
    /// must not wait.
    package func onChange(_ listener: @escaping @Sendable (ConnectionStatus.State) -> Void) {
        state.withLock { $0.listeners.append(listener) }
    }

    /// The network may be back, or gone: what is not known to work is asked for now.
    package func networkChanged() { state.update { $0.isKicked = true } }

    /// Asks a server that is away whether it is back, and waits for the answer, which comes within seconds.
    package func askAgain() {
        let before = state.update { state -> UInt64? in
            guard state.status.state == .offline else { return nil }
            state.isKicked = true
            return state.judgements
        }
        guard let before else { return }
        _ = state.wait(timeout: .seconds(5)) { $0.judgements > before || $0.isStopped ? true : nil }
    }

    /// The machine is about to sleep: until `wake` the server counts as away, so that nothing waits for it.
    package func fallAsleep() {
        change(to: .offline, detail: "this computer is about to sleep", asleep: true)
    }

    /// The machine has slept. What was open to the server is probably dead; it is asked at once.
    package func wake() { change(to: .connecting, asleep: false) }

    package func stop() { state.update { $0.isStopped = true } }

    // MARK: Observations

    package func requestWillBeSent() { state.withLock { $0.requests += 1 } }

    package func serverIsSilent() { suspect() }

    package func serverAnswered() {
        // Called for every request: the common case ends here.
        guard state.withLock({ $0.status.state == .connecting || $0.status.state == .offline }) else { return }
        change(to: .connected)
    }

    package func requestFailed(_ error: APIError) {
        switch error.meaning {
        case .away: if !error.isLostConnection { suspect() }
        case .loggedOut: refuse(error)
        case .busy, .refused, .cancelled: break
        }
    }

    private func suspect() {
        state.update { state in
            if state.status.state == .connected { state.isSuspect = true }
        }
    }

    private func refuse(_ error: APIError) {
        change(
            to: .refused,
            detail: "\(error). This device was logged out: run “dbxfs login”, then “dbxfs umount” and “dbxfs mount”.")
    }

    private func change(to next: ConnectionStatus.State, detail: String? = nil, asleep: Bool? = nil) {
        let isTeller = state.update { state -> Bool in
            if asleep == nil, state.isAsleep { return false }
            state.isAsleep = asleep ?? false
            let isNew = state.status.state != next
            if isNew || state.status.detail != detail {
                state.status = ConnectionStatus(
                    state: next, since: isNew ? time.now() : state.status.since, detail: detail)
            }
            state.isSuspect = false
            if isNew { state.news.append(next) }
            guard isNew, !state.isTelling else { return false }
            state.isTelling = true
            return true
        }
        if isTeller { tellNews() }
    }

    /// Whoever is told late that the server is away would believe it for ever.
    private func tellNews() {
        while true {
            let turn = state.withLock {
                state -> (ConnectionStatus.State, [@Sendable (ConnectionStatus.State) -> Void])? in
                guard !state.news.isEmpty else {
                    state.isTelling = false
                    return nil
                }
                return (state.news.removeFirst(), state.listeners)
            }
            guard let (news, listeners) = turn else { return }
            for listener in listeners { listener(news) }
        }
    }

    // MARK: The judging thread

    private enum Task {
        case ask, stop
    }

    /// Runs until `stop`. `api` reports to this object.
    package func run(asking api: any DbxAPI) {
        var retry = RetryPolicy(first: .milliseconds(500), longest: .seconds(30))
        while case .ask = nextTask(&retry) {
            do throws(APIError) {
                if status.state == .refused {
                    _ = try api.session(cancel: nil)
                } else {
                    try api.health(cancel: nil)
                }
                retry.succeeded()
                change(to: .connected)
            } catch {
                if error.meaning == .away { change(to: .offline, detail: Self.explanation(error)) }
            }
            state.update { $0.judgements += 1 }
        }
    }

    /// Waits for a reason to ask. While the server is away there is always one in the end.
    private func nextTask(_ retry: inout RetryPolicy) -> Task {
        var delay: Duration?
        switch status.state {
        case .connected, .connecting: break
        case .offline: delay = retry.delayAfterFailure(random: entropy.next())
        case .refused: delay = .seconds(300)
        }
        let task = state.wait(timeout: delay) { state -> Task? in
            if state.isStopped { return .stop }
            if state.isAsleep { return nil }
            if state.isSuspect || state.isKicked || state.status.state == .connecting {
                state.isSuspect = false
                state.isKicked = false
                return .ask
            }
            // Another request found the server again: the delay is void.
            return nil
        }
        return task ?? .ask
    }

    private static func explanation(_ error: APIError) -> String {
        error.isUntrusted
            ? "the server's certificate is not the trusted one (\(error)); if it was renewed, run “dbxfs login” again"
            : "the server does not answer (\(error))"
    }
}
