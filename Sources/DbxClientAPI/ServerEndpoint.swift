package import CurlHTTP

/// Where a server is and how it is recognised. A value.
package struct ServerEndpoint: Hashable, Sendable {
    /// Without a slash at the end; may have a path in front of `/v1`.
    package let base: String
    package let origin: Origin
    package let trust: HTTPTrust

    /// Nil unless `url` is `https`, or `http` to this machine: a token never crosses a network in the clear.
    package init?(url: String, trust: HTTPTrust) {
        guard let origin = Origin(url: url), origin.scheme == "https" || origin.isLoopback,
            !url.contains("?"), !url.contains("#"), url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        var base = Substring(url)
        while base.hasSuffix("/") { base.removeLast() }
        self.base = String(base)
        self.origin = origin
        self.trust = trust
    }

    /// An absolute URL from what a server names: relative ones are on this server. Nil where a server that is reached
    /// by `https` names something less.
    func resolve(_ url: String) -> (url: String, origin: Origin)? {
        if url.hasPrefix("/"), !url.hasPrefix("//") { return (origin.description + url, origin) }
        guard let target = Origin(url: url), target.scheme == origin.scheme || target.scheme == "https" else {
            return nil
        }
        return (url, target)
    }
}
