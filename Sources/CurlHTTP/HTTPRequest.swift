package enum HTTPMethod: String, Sendable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
}

/// How long a request may take. What is nil is not limited.
package struct HTTPLimits: Hashable, Sendable {
    /// Name lookup, TCP and TLS handshake together.
    package var connect: Duration
    /// The longest time without a single byte in either direction, once connected.
    package var silence: Duration
    package var total: Duration?

    package init(connect: Duration = .seconds(5), silence: Duration = .seconds(20), total: Duration? = nil) {
        self.connect = connect
        self.silence = silence
        self.total = total
    }
}

/// One request. Redirects are never followed: their answer is given back as it came.
package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// `http` or `https`, absolute.
    package var url: String
    package var headers: [(name: String, value: String)]
    /// Of `post` and `put`; sent from this memory without a copy.
    package var body: [UInt8]
    package var limits: HTTPLimits
    /// Waits where the connection's rates are limited. Other requests are small: they only count.
    package var isBulk: Bool

    package init(
        _ method: HTTPMethod, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        limits: HTTPLimits = HTTPLimits(), isBulk: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.limits = limits
        self.isBulk = isBulk
    }
}

/// What becomes of the body of an answer. The body of any status but 2xx is collected, up to 1 MiB.
package enum HTTPReceiver {
    /// Whole; a longer body than `limitBytes` is an error.
    case collect(limitBytes: Int)
    /// Piece by piece as it arrives, on the calling thread; false ends the request with `cancelled`.
    case stream((HTTPHead, [UInt8]) -> Bool)
}

/// Status and headers of an answer.
package struct HTTPHead: Sendable {
    package var status: Int
    /// Names in lower case; values of a repeated header joined by ", ".
    package var headers: [String: String]

    package init(status: Int = 0, headers: [String: String] = [:]) {
        self.status = status
        self.headers = headers
    }

    package var isSuccess: Bool { (200..<300).contains(status) }

    /// The media type without its parameters, in lower case.
    package var mediaType: String? {
        headers["content-type"].map { $0.prefix { $0 != ";" && $0 != " " }.lowercased() }
    }
}

package struct HTTPResponse: Sendable {
    package var head: HTTPHead
    package var body: [UInt8]

    package var status: Int { head.status }

    package init(head: HTTPHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}

/// Which server certificates are believed.
package enum HTTPTrust: Hashable, Sendable {
    /// The system's authorities, and the name must match.
    case system
    /// Exactly this certificate (PEM), whatever name it bears: what `login` showed and pinned.
    case pinned(pem: String)
}
