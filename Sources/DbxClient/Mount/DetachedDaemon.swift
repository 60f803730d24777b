import DbxSystem
import Foundation
import Glibc

/// How `dbxfs mount` leaves a daemon behind and knows that it works: the parent starts this program again, detached,
/// and reads `Message`s from a pipe, one a line, until it is ready or has failed. The pipe's end before that means that it
/// died.
package enum DetachedDaemon {
    enum Message: Codable {
        case progress(String)
        case ready
        case failed(ClientFailure)
    }

    /// Starts the daemon and returns when its mount answers. Calls `progress` when that takes over a second, and with
    /// what the daemon says.
    package static func start(
        arguments: [String], profile: Profile, progress: (String) -> Void
    ) throws(ClientFailure) {
        try PrivateFile.makeDirectory(profile.logDirectory)
        let lines: LineConnection
        do {
            lines = try spawn(arguments, logFile: profile.logFile)
        } catch {
            throw ClientFailure(
                .failed, "Cannot start the daemon: \(error)", remedy: "Check that \(profile.logDirectory) is writable.")
        }
        while let message = next(from: lines, progress) {
            switch message {
            case .progress(let text): progress(text)
            case .ready: return
            case .failed(let failure): throw failure
            }
        }
        throw ClientFailure(
            .failed, "The daemon ended before the mount was ready", remedy: "See \(profile.logFile).")
    }

    /// Our copy of the pipe's writing end is closed on return: only the daemon holds it then.
    private static func spawn(_ arguments: [String], logFile: String) throws(Errno) -> LineConnection {
        let log = try OpenFile(
            path: logFile, [.readWrite, .create, OpenFile.Mode(rawValue: O_APPEND)])
        let (reading, writing) = try ChildProcess.pipe()
        _ = try ChildProcess.startDetached(arguments: arguments, output: log, extra: writing)
        return LineConnection(reading)
    }

    private static func next(from lines: LineConnection, _ progress: (String) -> Void) -> Message? {
        do {
            return try line(from: lines, timeout: .seconds(1)) {
                progress("Waiting for the daemon …")
            }.map { try JSONDecoder().decode(Message.self, from: Data($0)) }
        } catch {
            return nil
        }
    }

    /// Calls `waiting` once when there is none within the timeout, and then waits for ever.
    private static func line(
        from lines: LineConnection, timeout: Duration, waiting: () -> Void
    ) throws(Errno) -> [UInt8]? {
        do throws(Errno) {
            return try lines.readLine(timeout: timeout)
        } catch {
            guard error == .timedOut else { throw error }
            waiting()
            return try lines.readLine()
        }
    }
}

/// The daemon's end of that pipe; it closes with the first message that is no progress. `pipe` is guarded by its monitor.
package final class ReadinessReport: Sendable {
    private let pipe: Monitor<OpenFile?>

    /// - Parameter descriptor: nil in the foreground, where nobody waits.
    package init(descriptor: Int32?) {
        if let descriptor { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        pipe = Monitor(descriptor.map { OpenFile(takingOwnershipOf: $0) })
    }

    package func progress(_ text: String) {
        pipe.withLock { file in if let file { Self.send(.progress(text), to: file) } }
    }
    package func ready() { end(.ready) }
    package func failed(_ failure: ClientFailure) { end(.failed(failure)) }

    private func end(_ message: DetachedDaemon.Message) {
        pipe.withLock { file in
            if let file { Self.send(message, to: file) }
            file = nil
        }
    }

    private static func send(_ message: DetachedDaemon.Message, to file: OpenFile) {
        guard let line = try? JSONEncoder().encode(message) else { return }
        try? LineConnection(file).writeLine([UInt8](line))
    }
}
