/// How `dbxfs` ends: the documented exit codes (README, "Exit codes"). Numbers never change meaning.
package enum ExitStatus: Int32, Hashable, Sendable, Codable, CaseIterable {
    case success = 0
    /// Something failed that has no code of its own.
    case failed = 1
    /// The command line is wrong.
    case usage = 2
    /// Not logged in, wrong password, revoked token.
    case notLoggedIn = 3
    /// The server does not answer.
    case unreachable = 4
    /// Work is still pending, or something is in use.
    case busy = 5
    /// The mount point is missing, not empty, or already mounted on.
    case mountPoint = 6
    /// Nothing is mounted where the command needs a mount.
    case notMounted = 7
    /// The server's certificate is not the trusted one.
    case untrusted = 8
    /// What this computer keeps is not as it must be.
    case damaged = 9
}

/// What went wrong, on what, and what to do next: the one error that reaches a person.
///
/// It also crosses the control socket and the pipe between `dbxfs mount` and its daemon.
package struct ClientFailure: Error, Hashable, Sendable, Codable {
    package var status: ExitStatus
    /// One sentence without a full stop: what went wrong, on what.
    package var problem: String
    /// One sentence: what to do next.
    package var remedy: String

    package init(_ status: ExitStatus, _ problem: String, remedy: String) {
        self.status = status
        self.problem = problem
        self.remedy = remedy
    }
}

extension ClientFailure: CustomStringConvertible {
    package var description: String { "\(problem).\n\(remedy)" }
}
