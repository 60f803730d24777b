/// Where the server listens: a host name or IP address, and a port (0 lets the kernel choose).
package struct ListenAddress: Hashable, Sendable {
    /// Without the brackets of an IPv6 address.
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `HOST:PORT`, `[IPV6]:PORT` or `:PORT` for every interface; nil when it is none of them.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        self.init(host: host.isEmpty ? "0.0.0.0" : host, port: Int(port))
    }

    /// Whether only programs on this machine can connect. A name other than `localhost` may resolve to anything, so
    /// it counts as public.
    package var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// As it stands in a URL.
    package var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}

extension ListenAddress: CustomStringConvertible {
    package var description: String { authority }
}
