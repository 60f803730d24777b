import DbxSystem
import DbxWire
import Foundation

/// The daemon's end of the control socket: one thread accepts, one thread per connection answers one request.
///
/// The socket file stands from `start` to `stop`. `state` is guarded by its monitor.
package final class ControlServer: Sendable {
    private struct State {
        var isStopping = false
        var connections = 0
        /// Requests that end the daemon and still owe their answer: `stop` waits for them.
        var unmounts = 0
    }

    private let profile: Profile
    private let mountPoint: String
    private let handler: any ControlHandling
    private let state = Monitor(State())
    private let accepting = Monitor<WorkerThread?>(nil)

    /// More connections than this wait in the kernel's queue.
    private static let maximumConnections = 16

    package init(profile: Profile, mountPoint: String, handler: any ControlHandling) {
        self.profile = profile
        self.mountPoint = mountPoint
        self.handler = handler
    }

    /// The caller holds the profile's lock, so whatever stands at the path is stale or of another home.
    package func start() throws(ClientFailure) {
        if let other = try? ControlClient.status(at: profile.socketPath) {
            throw ClientFailure(
                .busy, "The daemon of \(other.mountPoint) uses the control socket \(profile.socketPath)",
                remedy: "Set another XDG_RUNTIME_DIR beside the other XDG_*_HOME variables, or use --profile.")
        }
        try PrivateFile.makeDirectory((profile.socketPath as NSString).deletingLastPathComponent)
        do {
            let listener = try UnixSocket.listen(at: profile.socketPath)
            let thread = try WorkerThread(name: "control") { [self] in accept(on: listener) }
            accepting.withLock { $0 = thread }
        } catch {
            throw ClientFailure(
                .failed, "Cannot open the control socket \(profile.socketPath): \(error)",
                remedy: "Make its directory writable, or set XDG_RUNTIME_DIR to one that is.")
        }
    }

    /// Lets a request that unmounts finish, ends the others, and removes the socket.
    package func stop() {
        _ = state.wait { $0.unmounts == 0 ? true : nil }
        state.update { $0.isStopping = true }
        accepting.withLock { $0.take() }?.join()
        _ = state.wait(timeout: .seconds(5)) { $0.connections == 0 ? true : nil }
        try? Paths.remove(profile.socketPath)
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func accept(on listener: OpenFile) {
        while !isStopping {
            let isFree = state.wait(timeout: .seconds(1)) { $0.connections < Self.maximumConnections ? true : nil }
            guard isFree != nil, let connection = try? UnixSocket.accept(listener, timeout: .milliseconds(200)) else {
                continue
            }
            state.update { $0.connections += 1 }
            // Handed over whole: only the new thread uses it.
            nonisolated(unsafe) let handedOver = connection
            let thread = try? WorkerThread(name: "control-request") { [self] in
                unsafe serve(handedOver)
                state.update { $0.connections -= 1 }
            }
            if thread == nil { state.update { $0.connections -= 1 } }
        }
    }

    private func serve(_ connection: LineConnection) {
        guard let line = try? connection.readLine(timeout: .seconds(10)),
            let request = try? JSONDecoder().decode(ControlRequest.self, from: Data(line)),
            request.version == ControlRequest.currentVersion
        else {
            let failure = ClientFailure(
                .failed, "The daemon does not understand this request",
                remedy: "Command and daemon are of different versions: unmount and mount again.")
            return send(.failed(failure), to: connection)
        }
        let unmounts = request.command == .unmount || request.command == .unmountWhenSynced
        if unmounts { state.update { $0.unmounts += 1 } }
        do throws(ClientFailure) {
            send(try answer(request.command, on: connection), to: connection)
        } catch {
            send(.failed(error), to: connection)
        }
        if unmounts { state.update { $0.unmounts -= 1 } }
    }

    private func answer(
        _ command: ControlRequest.Command, on connection: LineConnection
    ) throws(ClientFailure) -> ControlAnswer {
        switch command {
        case .status:
            return .status(handler.status())
        case .sync:
            try sync(connection)
        case .unmount, .unmountWhenSynced:
            let waits = command == .unmountWhenSynced || handler.keepsNothing
            if waits { try sync(connection) }
            try MountPoint.detach(mountPoint)
            // The kernel keeps a mount alive that another mount namespace has a copy of.
            defer { handler.shutdown() }
            // What was changed between the two.
            if waits { try sync(connection) }
        case .shutdown:
            handler.shutdown()
        case .states(let paths):
            return .states(try handler.states(of: paths.map(\.bytes)))
        case .activity(let number, let limit, let waitSeconds):
            let patience = Duration.seconds(min(max(waitSeconds, 0), 60))
            return .activity(handler.activity(after: number, limit: limit, patience: patience))
        case .transfer(let change):
            return .transfer(try handler.change(change))
        case .conflicts:
            return .conflicts(try handler.conflicts())
        case .guarded(let answer):
            return .guarded(try handler.guarded(answer))
        case .merging(let path, let choice):
            return .merging(try handler.merging(at: path?.bytes, choice))
        case .ignored(let paths):
            return .ignored(try handler.ignored(paths.map(\.bytes)))
        case .applyIgnore(let path, let dryRun):
            return .ignoreApplied(try handler.applyIgnore(at: path.bytes, dryRun: dryRun))
        case .resolve(let path, let choice):
            try handler.resolve(path.bytes, choice)
        case .pins, .pin, .unpin, .warmUp, .evict, .cache:
            return try answerOffline(command, on: connection)
        }
        return .done
    }

    private func answerOffline(
        _ command: ControlRequest.Command, on connection: LineConnection
    ) throws(ClientFailure) -> ControlAnswer {
        switch command {
        case .pin(let paths):
            return .pins(try handler.pin(paths.map(\.bytes)))
        case .unpin(let paths):
            try handler.unpin(paths.map(\.bytes))
            return .done
        case .warmUp(let paths):
            let reached = try handler.warmUp(paths.map(\.bytes)) { [self] progress in
                guard !isStopping, !connection.isReadable() else { return false }
                send(.fetching(progress), to: connection)
                return true
            }
            return .warmedUp(reached)
        case .evict(let paths):
            return .evicted(try handler.evict(paths.map(\.bytes)))
        case .cache:
            return .cache(try handler.cacheReport())
        default:
            return .pins(try handler.pins())
        }
    }

    private func sync(_ connection: LineConnection) throws(ClientFailure) {
        try handler.sync { [self] pending in
            // A caller says nothing after its request: readable means gone.
            guard !isStopping, !connection.isReadable() else { return false }
            send(.progress(pending), to: connection)
            return true
        }
    }

    private func send(_ answer: ControlAnswer, to connection: LineConnection) {
        guard let line = try? JSONEncoder().encode(answer) else { return }
        try? connection.writeLine([UInt8](line))
    }
}
