import CurlHTTP
package import DbxClientAPI
package import DbxModel
package import DbxSystem
import DbxWire

/// Listens for the server's notices on a thread of its own: server-sent events, and where those do not get through (a
/// proxy that holds them back, or ends the stream at once) long polls for a while.
///
/// A notice is only a wake-up. Sendable: guarded by its monitor, never held during a request.
package final class EventStream: Sendable {
    private struct State: Sendable {
        /// Of the request under way.
        var cancel: CancelToken?
        var isConnected = false
        var isStopped = false
    }

    private enum Ending {
        /// Worked for a while.
        case useful
        /// Brought nothing.
        case useless
    }

    private let state = Monitor(State())
    private let api: any DbxAPI
    private let namespace: NamespaceID
    private let time: any TimeSource
    private let entropy: any Entropy
    /// Told whenever the server has answered anew, on the stream's thread, as the next.
    private let opened: @Sendable () -> Void
    /// Told of every head.
    private let noticed: @Sendable (Seq) -> Void
    private let thread = Monitor<WorkerThread?>(nil)

    private static let pollSeconds = 50
    /// How long polls replace a stream that does not get through.
    private static let pollingPeriod: Duration = .seconds(600)

    package init(
        api: any DbxAPI, namespace: NamespaceID, connectivity: Connectivity, time: any TimeSource,
        entropy: any Entropy, opened: @escaping @Sendable () -> Void, noticed: @escaping @Sendable (Seq) -> Void
    ) {
        self.api = api
        self.namespace = namespace
        self.time = time
        self.entropy = entropy
        self.opened = opened
        self.noticed = noticed
        connectivity.onChange { [state] connection in
            let cancel = state.update { state -> CancelToken? in
                state.isConnected = connection == .connected
                return state.isConnected ? nil : state.cancel
            }
            cancel?.cancel()
        }
    }

    package func start() throws(Errno) {
        let worker = try WorkerThread(name: "dbxfs-events") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    package func stop() {
        let cancel = state.update { state in
            state.isStopped = true
            return state.cancel
        }
        cancel?.cancel()
        thread.withLock { $0.take() }?.join()
    }

    // MARK: The thread

    private func run() {
        var retry = RetryPolicy(first: .milliseconds(500), longest: .seconds(30))
        var uselessStreams = 0
        while let cancel = waitForConnection() {
            switch listen(cancel) {
            case .useful:
                uselessStreams = 0
                retry.succeeded()
            case .useless:
                uselessStreams += 1
                if uselessStreams >= 3 {
                    pollForAWhile()
                    uselessStreams = 2
                }
            }
            pause(retry.delayAfterFailure(random: entropy.next()))
        }
    }

    /// Waits until the server can be reached; nil when the stream is stopped.
    private func waitForConnection() -> CancelToken? {
        let token = state.wait { state -> CancelToken?? in
            if state.isStopped { return .some(nil) }
            guard state.isConnected else { return nil }
            let cancel = CancelToken()
            state.cancel = cancel
            return cancel
        }
        return token ?? nil
    }

    private func pause(_ delay: Duration) {
        _ = state.wait(timeout: delay) { $0.isStopped ? true : nil }
    }

    private func listen(_ cancel: CancelToken) -> Ending {
        let start = time.monotonic()
        var notices = 0
        var beats = 0
        do throws(APIError) {
            try api.events(cancel: cancel) { event in
                switch event {
                case .opened: opened()
                case .heartbeat: beats += 1
                case .change(let notice):
                    notices += 1
                    if notice.namespace == namespace { noticed(notice.seq) }
                }
                return true
            }
        } catch {
            // A server that went away says nothing about the way to it.
            if error.meaning == .cancelled || error.meaning == .loggedOut { return .useful }
        }
        // The heads come at once; a stream that lived brought heartbeats besides.
        let lived = time.monotonic() - start > .seconds(60) || beats > 1
        return lived && notices + beats > 0 ? .useful : .useless
    }

    private func pollForAWhile() {
        let end = time.monotonic() + Self.pollingPeriod
        var heads: [NamespaceID: Seq] = [:]
        var retry = RetryPolicy(first: .milliseconds(500), longest: .seconds(30))
        while time.monotonic() < end, let cancel = waitForConnection() {
            do throws(APIError) {
                let answer = try api.poll(after: heads, timeoutSeconds: Self.pollSeconds, cancel: cancel)
                for change in answer.changes {
                    heads[change.namespace] = max(heads[change.namespace] ?? .zero, change.seq)
                    if change.namespace == namespace { noticed(change.seq) }
                }
                retry.succeeded()
            } catch {
                pause(retry.delayAfterFailure(retryAfter: error.retryAfter, random: entropy.next()))
            }
        }
    }
}
