import DbxSystem
import Logging

/// How a profile treats connections where data cost money.
package enum MeteredMode: String, Hashable, Sendable, Codable, CaseIterable {
    /// They are, or are not, whatever the machine says.
    case on, off
    /// NetworkManager knows.
    case auto
}

/// Asks the machine from time to time whether its connection is metered, while the mode is `auto`, and tells the engine. One
/// thread, which waits for nothing but the bus. Sendable: guarded by its monitor, which is held for moves only.
final class MeteredLink: Sendable {
    private struct State: Sendable {
        var mode = MeteredMode.off
        var isStopped = false
        var mustAsk = false
        var thread: WorkerThread?
    }

    private static let interval: Duration = .seconds(30)

    private let state = Monitor(State())
    private let engine: Engine
    private let log: Logger

    init(_ engine: Engine, log: Logger) {
        self.engine = engine
        self.log = log
    }

    func start() throws(Errno) {
        let thread = try WorkerThread(name: "dbxfs-metered") { [self] in run() }
        state.withLock { $0.thread = thread }
    }

    func stop() {
        let thread = state.update { state in
            state.isStopped = true
            return state.thread.take()
        }
        thread?.join()
    }

    func set(_ mode: MeteredMode) {
        state.update { state in
            state.mode = mode
            state.mustAsk = true
        }
        if mode != .auto { engine.setMetered(mode == .on) }
    }

    /// The machine may have another connection now.
    func networkChanged() { state.update { $0.mustAsk = true } }

    private func run() {
        while true {
            let isStopped = state.wait(timeout: Self.interval) { state -> Bool? in
                if state.isStopped { return true }
                guard state.mustAsk else { return nil }
                state.mustAsk = false
                return false
            }
            if isStopped == true { return }
            guard state.withLock({ $0.mode == .auto }) else { continue }
            let isMetered = MeteredNetwork.isMetered()
            guard state.withLock({ $0.mode == .auto }), isMetered != engine.isMetered else { continue }
            log.info("the connection is \(isMetered ? "" : "not ")metered")
            engine.setMetered(isMetered)
        }
    }
}
