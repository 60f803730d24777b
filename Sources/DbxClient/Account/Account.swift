import Crypto
import CurlHTTP
package import DbxClientAPI
import DbxModel
import DbxSystem
package import DbxWire
import Foundation

/// Logging a profile in and out, and asking the server about it without a mount. Blocking.
package enum Account {
    /// The server's API with what `login` stored.
    package static func api(for profile: Profile) throws(ClientFailure) -> any DbxAPI {
        let settings = try ProfileSettings.load(for: profile)
        let credentials = try Credentials.load(for: profile)
        let endpoint = try ServerAddress.endpoint(settings.server, pinned: credentials.pinnedCertificate)
        return HTTPDbxAPI(endpoint: endpoint, token: credentials.token, time: SystemTime())
    }

    /// Gets a token and stores it with the settings. Nothing is stored when it fails. A profile may be logged in again,
    /// also at a new address of the server, but never as another account: what is here belongs to the old one.
    package static func logIn(
        _ profile: Profile, address: ServerAddress, request: LoginRequest
    ) throws(ClientFailure) {
        let lock = try ProfileLock.take(profile, mountPoint: nil)
        defer { withExtendedLifetime(lock) {} }
        let response: LoginResponse
        let session: SessionResponse
        do throws(APIError) {
            response = try HTTPDbxAPI(endpoint: address.endpoint, token: nil, time: SystemTime()).login(request)
            session = try HTTPDbxAPI(endpoint: address.endpoint, token: response.token, time: SystemTime())
                .session(cancel: nil)
        } catch {
            throw failure(of: error, server: address.url, isLogin: true)
        }
        let known = try? ProfileSettings.load(for: profile)
        if let old = (try? Credentials.load(for: profile))?.session,
            (old.user, old.root) != (session.user, session.root)
        {
            try? HTTPDbxAPI(endpoint: address.endpoint, token: response.token, time: SystemTime()).logout()
            throw ClientFailure(
                .usage,
                "Profile “\(profile.name)” belongs to another account: \(known?.user ?? old.userName) on"
                    + " \(known?.server ?? "another server")",
                remedy: "Log out first (dbxfs logout), or choose another name with --profile.")
        }
        try Credentials(token: response.token, pinnedCertificate: address.pinnedCertificate, session: session)
            .save(for: profile)
        // What was chosen for the mount stays.
        var settings = known ?? ProfileSettings(server: address.url, user: request.user, device: request.device)
        settings.server = address.url
        settings.user = request.user
        settings.device = request.device
        try settings.save(for: profile)
    }

    /// Ends the token on the server and removes the profile's files here. The caller has made sure that nothing is
    /// pending. A server that cannot be reached keeps the token until somebody revokes it; returns false then.
    package static func logOut(_ profile: Profile, lock: borrowing ProfileLock) throws(ClientFailure) -> Bool {
        let ended = Result { try api(for: profile).logout() }
        for path in [profile.configDirectory, profile.dataDirectory] where Paths.exists(path) {
            do {
                try FileManager.default.removeItem(atPath: path)
            } catch {
                throw ClientFailure(
                    .failed, "Cannot remove \(path): \(error.localizedDescription)", remedy: "Remove it by hand.")
            }
        }
        if case .failure = ended { return false }
        return true
    }

    /// What an error of the API means to a person.
    package static func failure(of error: APIError, server: String, isLogin: Bool = false) -> ClientFailure {
        switch error.meaning {
        case .loggedOut where isLogin:
            return ClientFailure(
                .notLoggedIn, "The server does not accept this user name and password",
                remedy: "Check both; the server's administrator can set a new one: dbxfs-server user passwd NAME")
        case .loggedOut:
            return ClientFailure(
                .notLoggedIn, "The server does not accept this device any more",
                remedy: "Log in again: dbxfs login \(server)")
        case .away where error.isUntrusted:
            return ClientFailure(
                .untrusted, "The certificate of \(server) is not the trusted one: \(error)",
                remedy: "If the server was set up anew, log in again and compare the fingerprint; else do not go on.")
        case .away, .cancelled:
            return ClientFailure(
                .unreachable, "The server \(server) does not answer: \(error)",
                remedy: "Check the address, the network, and that the server runs.")
        case .busy:
            return ClientFailure(.unreachable, "The server \(server) is busy: \(error)", remedy: "Try again later.")
        case .refused:
            return ClientFailure(.failed, "The server refuses: \(error)", remedy: "Correct the request and try again.")
        }
    }
}

/// A server as `login` was told it, and how it is to be recognised. A value.
package struct ServerAddress: Hashable, Sendable {
    package let url: String
    package let pinnedCertificate: String?
    let endpoint: ServerEndpoint

    /// Decides how to recognise the server. One whose certificate the system does not trust is shown to `confirm` by
    /// its fingerprint, unless `fingerprint` names it already.
    package static func resolve(
        _ url: String, fingerprint: String?, confirm: (_ fingerprint: String) throws(ClientFailure) -> Bool
    ) throws(ClientFailure) -> ServerAddress {
        let trusted = try endpoint(url, pinned: nil)
        if trusted.origin.scheme == "http" { return ServerAddress(url: url, pinnedCertificate: nil, endpoint: trusted) }
        if fingerprint == nil {
            do throws(APIError) {
                try HTTPDbxAPI(endpoint: trusted, token: nil, time: SystemTime()).health(cancel: nil)
                return ServerAddress(url: url, pinnedCertificate: nil, endpoint: trusted)
            } catch {
                guard error.isUntrusted else { throw Account.failure(of: error, server: url) }
            }
        }
        let certificate: ServerCertificate
        do throws(TransportError) {
            certificate = try HTTPConnection(trust: .system, time: SystemTime()).fetchCertificate(of: trusted.base)
        } catch {
            throw Account.failure(of: APIError(.transport(error)), server: url)
        }
        let shown = Self.fingerprint(of: certificate)
        if let fingerprint {
            guard normalized(fingerprint) == normalized(shown) else {
                throw ClientFailure(
                    .untrusted, "The certificate of \(url) has another fingerprint: \(shown)",
                    remedy: "Compare it with what “dbxfs-server fingerprint” prints on the server.")
            }
        } else if try !confirm(shown) {
            throw ClientFailure(
                .untrusted, "The certificate of \(url) was not accepted",
                remedy: "Compare the fingerprint with what “dbxfs-server fingerprint” prints on the server.")
        }
        return ServerAddress(
            url: url, pinnedCertificate: certificate.pem, endpoint: try endpoint(url, pinned: certificate.pem))
    }

    static func endpoint(_ url: String, pinned: String?) throws(ClientFailure) -> ServerEndpoint {
        let trust: HTTPTrust = pinned.map { .pinned(pem: $0) } ?? .system
        guard let endpoint = ServerEndpoint(url: url, trust: trust) else {
            throw ClientFailure(
                .usage, "“\(url)” is no server address",
                remedy: "Use https://HOST[:PORT]; plain http:// is only for this machine (127.0.0.1, localhost).")
        }
        return endpoint
    }

    private static func fingerprint(of certificate: ServerCertificate) -> String {
        "SHA256:" + SHA256.hash(data: certificate.der).map { [$0].hex.uppercased() }.joined(separator: ":")
    }

    /// Letter case and colons do not matter to people.
    private static func normalized(_ fingerprint: String) -> String {
        var text = fingerprint.lowercased()
        if text.hasPrefix("sha256:") { text.removeFirst(7) }
        return text.replacing(":", with: "")
    }
}
