package import CurlHTTP
package import DbxWire

/// Why a call to the server failed: the one classification that every retry and every message goes by.
package struct APIError: Error, Hashable, Sendable {
    package enum Cause: Hashable, Sendable {
        /// The server answered with problem details.
        case problem(Problem)
        /// There was no complete answer.
        case transport(TransportError)
        /// Something answered that is not a dbxfs server: a captive portal, a proxy's error page, damaged JSON.
        case garbage(String)
    }

    /// What the caller can do about it.
    package enum Meaning: Hashable, Sendable {
        /// The server cannot be reached now: everything else will fail too.
        case away
        /// The server answers, and wants less or later.
        case busy
        /// The device's token does not count any more.
        case loggedOut
        /// The server understood and will not do this.
        case refused
        case cancelled
    }

    package var cause: Cause
    /// How long the server asked to be left alone.
    package var retryAfter: Duration?

    package init(_ cause: Cause, retryAfter: Duration? = nil) {
        self.cause = cause
        self.retryAfter = retryAfter
    }

    package var meaning: Meaning {
        switch cause {
        case .garbage: return .away
        case .transport(let error): return error.kind == .cancelled ? .cancelled : .away
        case .problem(let problem):
            switch problem.status {
            case 401: return .loggedOut
            case 502, 503, 504: return .away
            case 408, 425, 429, 500, 507: return .busy
            default: return .refused
            }
        }
    }

    /// Whether the same request may succeed later.
    package var isRetryable: Bool { meaning == .away || meaning == .busy }

    package var problem: Problem? {
        if case .problem(let problem) = cause { problem } else { nil }
    }

    /// Whether only this connection is gone: the server has just answered on another one.
    package var isLostConnection: Bool {
        if case .transport(let error) = cause { error.kind == .lost } else { false }
    }

    /// Whether the server is there but not the one that is trusted.
    package var isUntrusted: Bool {
        if case .transport(let error) = cause { error.kind == .tls } else { false }
    }
}

extension APIError: CustomStringConvertible {
    package var description: String {
        switch cause {
        case .problem(let problem): problem.detail.isEmpty ? problem.title : "\(problem.title): \(problem.detail)"
        case .transport(let error): error.message
        case .garbage(let what): what
        }
    }
}
