import DbxSystem
import Foundation

/// A command's end of the control socket. Blocking; one request per connection.
package enum ControlClient {
    /// Throws `.notMounted` when no daemon serves the profile.
    package static func status(of profile: Profile) throws(ClientFailure) -> ClientStatus {
        guard let holder = ProfileLock.holder(of: profile), holder.mountPoint != nil else { throw notMounted(profile) }
        return try status(at: holder.socketPath)
    }

    /// Returns when the request is done; `progress` hears how much is still pending, about once a second.
    package static func perform(
        _ command: ControlRequest.Command, of profile: Profile, progress: (PendingStatus) -> Void = { _ in }
    ) throws(ClientFailure) {
        guard let holder = ProfileLock.holder(of: profile), holder.mountPoint != nil else { throw notMounted(profile) }
        // Longer than any step of a daemon that lives: one that is frozen answers nothing for ever.
        _ = try ask(command, at: holder.socketPath, timeout: .seconds(120)) { line in
            if case .progress(let pending) = line { progress(pending) }
        }
    }

    /// A question with one final answer; `progress` hears those before it.
    package static func ask(
        _ command: ControlRequest.Command, of profile: Profile, timeout: Duration? = .seconds(90),
        progress: (ControlAnswer) -> Void = { _ in }
    ) throws(ClientFailure) -> ControlAnswer {
        guard let holder = ProfileLock.holder(of: profile), holder.mountPoint != nil else { throw notMounted(profile) }
        return try ask(command, at: holder.socketPath, timeout: timeout, progress: progress)
    }

    static func status(at socketPath: String) throws(ClientFailure) -> ClientStatus {
        guard case .status(let status) = try ask(.status, at: socketPath, timeout: .seconds(10), progress: { _ in })
        else { throw broken("it answered something else") }
        return status
    }

    /// Waits until the profile's daemon has ended: everything of it is closed then.
    package static func waitForEnd(of profile: Profile, timeout: Duration) throws(ClientFailure) {
        let time = SystemTime()
        let deadline = time.monotonic() + timeout
        while let holder = ProfileLock.holder(of: profile) {
            guard time.monotonic() < deadline else {
                throw ClientFailure(
                    .busy, "The daemon (process \(holder.processID)) is still closing its files",
                    remedy: "Wait a little; its log is \(profile.logFile).")
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    private static func ask(
        _ command: ControlRequest.Command, at socketPath: String, timeout: Duration?,
        progress: (ControlAnswer) -> Void
    ) throws(ClientFailure) -> ControlAnswer {
        do {
            let connection = try UnixSocket.connect(to: socketPath)
            try connection.writeLine([UInt8](JSONEncoder().encode(ControlRequest(command))))
            while let line = try connection.readLine(timeout: timeout) {
                let answer = try JSONDecoder().decode(ControlAnswer.self, from: Data(line))
                if case .failed(let failure) = answer { throw failure }
                if answer.isFinal { return answer }
                progress(answer)
            }
        } catch let failure as ClientFailure {
            throw failure
        } catch {
            throw broken("\(error)")
        }
        throw broken("it ended without an answer")
    }

    package static func broken(_ reason: String) -> ClientFailure {
        ClientFailure(
            .failed, "The daemon of the mount does not answer: \(reason)",
            remedy: "If it stays so, end it and mount again; nothing that was written is lost.")
    }

    private static func notMounted(_ profile: Profile) -> ClientFailure {
        ClientFailure(
            .notMounted, "Profile “\(profile.name)” is not mounted", remedy: "Run: dbxfs mount DIR")
    }
}
