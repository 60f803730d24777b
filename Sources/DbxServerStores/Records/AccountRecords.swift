package import DbxModel

/// A tenant, with its keys sealed under the master key.
package struct OrgRecord: Hashable, Sendable {
    package var id: OrgID
    package var name: String
    package var wrappedKey: [UInt8]
    package var wrappedConvergenceKey: [UInt8]
    package var createdAt: Timestamp

    package init(
        id: OrgID, name: String, wrappedKey: [UInt8], wrappedConvergenceKey: [UInt8], createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.wrappedKey = wrappedKey
        self.wrappedConvergenceKey = wrappedConvergenceKey
        self.createdAt = createdAt
    }
}

package struct UserRecord: Hashable, Sendable {
    package var id: UserID
    package var org: OrgID
    package var name: String
    /// What checks the password, never the password.
    package var password: String
    package var disabled: Bool
    package var rootNamespace: NamespaceID
    package var createdAt: Timestamp

    package init(
        id: UserID, org: OrgID, name: String, password: String, disabled: Bool = false, rootNamespace: NamespaceID,
        createdAt: Timestamp
    ) {
        self.id = id
        self.org = org
        self.name = name
        self.password = password
        self.disabled = disabled
        self.rootNamespace = rootNamespace
        self.createdAt = createdAt
    }
}

package struct DeviceRecord: Hashable, Sendable {
    package var id: DeviceID
    package var user: UserID
    package var name: String
    /// SHA-256 of the token.
    package var tokenHash: [UInt8]
    package var createdAt: Timestamp
    package var lastSeenAt: Timestamp
    package var revoked: Bool

    package init(
        id: DeviceID, user: UserID, name: String, tokenHash: [UInt8], createdAt: Timestamp, lastSeenAt: Timestamp,
        revoked: Bool = false
    ) {
        self.id = id
        self.user = user
        self.name = name
        self.tokenHash = tokenHash
        self.createdAt = createdAt
        self.lastSeenAt = lastSeenAt
        self.revoked = revoked
    }
}

/// A device as its token finds it, with what decides whether it may act.
package struct TokenBearer: Hashable, Sendable {
    package var device: DeviceRecord
    package var userDisabled: Bool
    package var org: OrgID
}

/// How much a user's root namespace holds and how many devices are in use.
package struct UsageRecord: Hashable, Sendable {
    package var usedBytes: Int64
    package var limitBytes: Int64?
    package var devices: Int
}
