import DbxSystem
import Foundation
import Glibc

/// How `dbxfs mount` leaves a daemon behind and knows that it works: the parent starts this program again, detached,
/// and waits on a pipe for one line, a `Message`. The pipe's end without one means that the daemon died.
package enum DetachedDaemon {
    enum Message: Codable {
        case ready
        case failed(ClientFailure)
    }

    /// Starts the daemon and returns when its mount answers. Calls `waiting` once when that takes over a second.
    package static func start(
        arguments: [String], profile: Profile, waiting: () -> Void
    ) throws(ClientFailure) {
        try PrivateFile.makeDirectory(profile.logDirectory)
        let lines: LineConnection
        do {
            lines = try spawn(arguments, logFile: profile.logFile)
        } catch {
            throw ClientFailure(
                .failed, "Cannot start the daemon: \(error)", remedy: "Check that \(profile.logDirectory) is writable.")
        }
        guard let line = line(from: lines, waiting: waiting),
            let message = try? JSONDecoder().decode(Message.self, from: Data(line))
        else {
            throw ClientFailure(
                .failed, "The daemon ended before the mount was ready", remedy: "See \(profile.logFile).")
        }
        if case .failed(let failure) = message { throw failure }
    }

    /// Our copy of the pipe's writing end is closed on return: only the daemon holds it then.
    private static func spawn(_ arguments: [String], logFile: String) throws(Errno) -> LineConnection {
        let log = try OpenFile(
            path: logFile, [.readWrite, .create, OpenFile.Mode(rawValue: O_APPEND)])
        let (reading, writing) = try ChildProcess.pipe()
        _ = try ChildProcess.startDetached(arguments: arguments, output: log, extra: writing)
        return LineConnection(reading)
    }

    private static func line(from lines: LineConnection, waiting: () -> Void) -> [UInt8]? {
        do throws(Errno) {
            return try lines.readLine(timeout: .seconds(1))
        } catch {
            guard error == .timedOut else { return nil }
            waiting()
            return (try? lines.readLine()) ?? nil
        }
    }
}

/// The daemon's end of that pipe. One message is sent at most; later ones are dropped.
package final class ReadinessReport: Sendable {
    private let pipe: Monitor<OpenFile?>

    /// - Parameter descriptor: nil in the foreground, where nobody waits.
    package init(descriptor: Int32?) {
        if let descriptor { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        pipe = Monitor(descriptor.map { OpenFile(takingOwnershipOf: $0) })
    }

    package func ready() { send(.ready) }
    package func failed(_ failure: ClientFailure) { send(.failed(failure)) }

    private func send(_ message: DetachedDaemon.Message) {
        guard let file = pipe.withLock({ $0.take() }), let line = try? JSONEncoder().encode(message) else { return }
        try? LineConnection(file).writeLine([UInt8](line))
    }
}
