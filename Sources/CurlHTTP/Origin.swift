/// Scheme, host and port of a URL: what must be equal for the device token to be sent, and for a pin to hold.
package struct Origin: Hashable, Sendable {
    package let scheme: String
    /// In lower case; an IPv6 address in its brackets.
    package let host: String
    package let port: Int

    /// Nil unless `url` is an absolute `http` or `https` URL without user name.
    package init?(url: String) {
        guard let colon = url.firstRange(of: "://") else { return nil }
        let scheme = url[..<colon.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        let authority = url[colon.upperBound...].prefix { !"/?#\\".contains($0) }
        guard !authority.contains("@"), !authority.contains(where: \.isWhitespace) else { return nil }
        let hostEnd = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map(authority.index(after:)) : nil
        let portColon = authority[(hostEnd ?? authority.startIndex)...].firstIndex(of: ":")
        let host = authority[..<(portColon ?? authority.endIndex)]
        let port = portColon.map { Int(authority[authority.index(after: $0)...]) } ?? (scheme == "https" ? 443 : 80)
        guard !host.isEmpty, let port, (1...65_535).contains(port) else { return nil }
        self.scheme = scheme
        self.host = host.lowercased()
        self.port = port
    }

    /// Whether the host is this machine by its name.
    package var isLoopback: Bool {
        host == "localhost" || host == "[::1]"
            || (host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." })
    }
}

extension Origin: CustomStringConvertible {
    package var description: String { "\(scheme)://\(host):\(port)" }
}
