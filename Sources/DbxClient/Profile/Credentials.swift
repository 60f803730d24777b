package import DbxWire

/// `credentials.json` of a profile: what must not be read by others. Mode 0600 in a directory of mode 0700. A value.
package struct Credentials: Hashable, Sendable, Codable {
    /// The device token.
    package var token: String
    /// The certificate that `login` was told to trust, in PEM; nil: the system's certificate authorities decide.
    package var pinnedCertificate: String?
    /// The last answer of `GET /v1/session`: identity, namespaces and keys. Kept so that a mount comes up offline.
    package var session: SessionResponse

    package init(token: String, pinnedCertificate: String?, session: SessionResponse) {
        self.token = token
        self.pinnedCertificate = pinnedCertificate
        self.session = session
    }

    /// Throws `.notLoggedIn` where the profile has none.
    package static func load(for profile: Profile) throws(ClientFailure) -> Credentials {
        guard let credentials = try PrivateFile.read(Credentials.self, at: profile.credentialsFile) else {
            throw .notLoggedIn(profile)
        }
        return credentials
    }

    /// Replaces the file atomically and durably.
    package func save(for profile: Profile) throws(ClientFailure) {
        try PrivateFile.write(self, at: profile.credentialsFile)
    }
}
