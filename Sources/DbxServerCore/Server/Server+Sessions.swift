import Crypto
package import DbxModel
import DbxServerStores
package import DbxWire

extension Server {
    private static let wrongPassword = Problem(
        kind: .unauthenticated, detail: "The user name or the password is wrong.")

    /// Checks the password and registers a device. `address` is the peer's, for the rate limit.
    package func login(_ request: LoginRequest, address: String) throws(Problem) -> LoginResponse {
        try answering {
            guard request.password.utf8.count <= 1_024, request.user.utf8.count <= 256 else { throw Self.wrongPassword }
            let deviceName = try Self.checkedDeviceName(request.device)
            if let seconds = limiter.begin(user: request.user, address: address, now: time.monotonic()) {
                throw Problem(kind: .tooManyRequests, detail: "Too many tries: wait \(seconds) seconds.")
            }
            let user = try metadata.read { try $0.user(named: request.user) }
            let password = user.flatMap { PasswordHash(text: $0.password) } ?? decoyPassword
            let matches = try password.matches(request.password)
            guard let user, matches else { throw Self.wrongPassword }
            guard !user.disabled else {
                throw Problem(kind: .forbidden, detail: "This account is disabled; ask the server's administrator.")
            }
            limiter.succeeded(user: request.user, address: address)
            let token = entropy.bytes(32)
            let now = time.now()
            let device = DeviceRecord(
                id: DeviceID(from: entropy), user: user.id, name: deviceName,
                tokenHash: Array(SHA256.hash(data: token)), createdAt: now, lastSeenAt: now)
            try metadata.write { rows in
                // The password took its time: it may have been changed meanwhile, and all devices ended with it.
                guard let now = try rows.user(named: request.user), now.password == user.password, !now.disabled else {
                    throw Self.wrongPassword
                }
                try rows.insert(device)
            }
            return LoginResponse(token: Base64URL.encode(token), user: user.id, device: device.id)
        }
    }

    private static func checkedDeviceName(_ name: String) throws -> String {
        guard (1...100).contains(name.utf8.count), !name.unicodeScalars.contains(where: { $0.value < 32 || $0 == "/" })
        else {
            throw Problem.badRequest("A device's name has 1 to 100 bytes, without '/' and control characters.")
        }
        return name
    }

    /// The caller behind a bearer token; `unauthenticated` for an unknown or revoked one and for disabled users.
    package func authenticate(token: String) throws(Problem) -> Caller {
        try answering {
            guard token.utf8.count < 100, let bytes = Base64URL.decode(token), bytes.count == 32 else {
                throw Problem.loggedOut
            }
            let hash = Array(SHA256.hash(data: bytes))
            guard let bearer = try metadata.read({ try $0.bearer(ofTokenHash: hash) }), !bearer.device.revoked,
                !bearer.userDisabled
            else { throw Problem.loggedOut }
            if lastSeen.isDue(bearer.device.id, now: time.monotonic()) {
                let now = time.now()
                // A disk that is full or fails keeps nobody from reading.
                do { try metadata.write { try $0.setLastSeen(now, device: bearer.device.id) } } catch {
                    configuration.onInternalError("\(error)")
                }
            }
            return Caller(user: bearer.device.user, device: bearer.device.id, org: bearer.org)
        }
    }

    package func logout(_ caller: Caller) throws(Problem) { try revokeDevice(caller, device: caller.device) }

    package func devices(_ caller: Caller) throws(Problem) -> [DeviceRow] {
        try answering {
            try metadata.read { rows in
                try AccessPolicy.check(caller, rows)
                return try rows.devices(of: caller.user).map { device in
                    DeviceRow(
                        id: device.id, name: device.name, createdAt: device.createdAt,
                        lastSeenAt: device.lastSeenAt, current: device.id == caller.device)
                }
            }
        }
    }

    package func revokeDevice(_ caller: Caller, device: DeviceID) throws(Problem) {
        try answering {
            try metadata.write { rows in
                try AccessPolicy.check(caller, rows)
                guard let record = try rows.device(device), record.user == caller.user, !record.revoked else {
                    throw Problem(kind: .notFound, detail: "You have no such device.")
                }
                try rows.revoke(device)
            }
            events.end([device])
        }
    }

    package func session(_ caller: Caller) throws(Problem) -> SessionResponse {
        try answering {
            try metadata.read { rows in
                try AccessPolicy.check(caller, rows)
                guard let user = try rows.user(caller.user), let device = try rows.device(caller.device),
                    let org = try rows.orgs().first(where: { $0.id == user.org })
                else { throw Problem.loggedOut }
                let grants = try rows.memberships(of: user.id).compactMap { try grant($0, org, rows) }
                return SessionResponse(
                    user: user.id, userName: user.name, device: device.id, deviceName: device.name, org: org.id,
                    serverVersion: configuration.version, root: user.rootNamespace, namespaces: grants)
            }
        }
    }

    private func grant(
        _ membership: MembershipRecord, _ org: OrgRecord, _ rows: any MetadataTransaction
    ) throws -> NamespaceGrant? {
        guard let role = NamespaceRole(rawValue: membership.role),
            let namespace = try rows.namespace(membership.namespace)
        else { return nil }
        let keys = try vault.keys(
            rows.keys(of: namespace.id), in: org, mayWrite: AccessPolicy.allows(role, .write))
        return NamespaceGrant(
            id: namespace.id, role: role, rootNode: namespace.rootNode, head: namespace.head,
            quota: Quota(namespace), keys: keys)
    }
}
