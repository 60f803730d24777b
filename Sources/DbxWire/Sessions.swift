package import DbxModel

/// `POST /v1/login`
package struct LoginRequest: Hashable, Sendable, Codable {
    package var user: String
    package var password: String
    /// How the device is called in lists and conflict names.
    package var device: String

    package init(user: String, password: String, device: String) {
        self.user = user
        self.password = password
        self.device = device
    }
}

package struct LoginResponse: Hashable, Sendable, Codable {
    /// Sent as `Authorization: Bearer`; the server keeps only its hash.
    package var token: String
    package var user: UserID
    package var device: DeviceID

    package init(token: String, user: UserID, device: DeviceID) {
        self.token = token
        self.user = user
        self.device = device
    }
}

/// `GET /v1/devices` answers `[DeviceRow]`; `DELETE /v1/devices/{device}` revokes one; `POST /v1/logout` this one.
package struct DeviceRow: Hashable, Sendable, Codable {
    package var id: DeviceID
    package var name: String
    package var createdAt: Timestamp
    package var lastSeenAt: Timestamp
    /// The device that asks.
    package var current: Bool

    package init(id: DeviceID, name: String, createdAt: Timestamp, lastSeenAt: Timestamp, current: Bool) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
        self.lastSeenAt = lastSeenAt
        self.current = current
    }
}

/// `GET /v1/session`: who the token stands for and what it may open.
package struct SessionResponse: Hashable, Sendable, Codable {
    package var user: UserID
    package var userName: String
    package var device: DeviceID
    package var deviceName: String
    package var org: OrgID
    package var serverVersion: String
    /// The namespace that holds the user's own tree.
    package var root: NamespaceID
    package var namespaces: [NamespaceGrant]

    package init(
        user: UserID, userName: String, device: DeviceID, deviceName: String, org: OrgID, serverVersion: String,
        root: NamespaceID, namespaces: [NamespaceGrant]
    ) {
        self.user = user
        self.userName = userName
        self.device = device
        self.deviceName = deviceName
        self.org = org
        self.serverVersion = serverVersion
        self.root = root
        self.namespaces = namespaces
    }
}

package enum NamespaceRole: String, Hashable, Sendable, Codable {
    case owner, writer, reader
}

package struct NamespaceGrant: Hashable, Sendable, Codable {
    package var id: NamespaceID
    package var role: NamespaceRole
    /// The root directory: the one node that has no entry.
    package var rootNode: NodeID
    package var head: Seq
    package var quota: Quota
    package var keys: NamespaceKeys

    package init(
        id: NamespaceID, role: NamespaceRole, rootNode: NodeID, head: Seq, quota: Quota, keys: NamespaceKeys
    ) {
        self.id = id
        self.role = role
        self.rootNode = rootNode
        self.head = head
        self.quota = quota
        self.keys = keys
    }
}

/// What a device needs to open and to make blocks (DESIGN §4.3). All keys are 32 bytes; kept like the token.
package struct NamespaceKeys: Hashable, Sendable, Codable {
    /// The wrap keys by id; old epochs stay so that old blocks open.
    package var wrapKeys: [WrapKey]
    /// Which of them new blocks are wrapped under; nil for a reader.
    package var currentWrapKey: KeyID?
    /// K_conv of the namespace's key domain; nil for a reader.
    package var convergenceKey: Base64?

    package init(wrapKeys: [WrapKey], currentWrapKey: KeyID?, convergenceKey: Base64?) {
        self.wrapKeys = wrapKeys
        self.currentWrapKey = currentWrapKey
        self.convergenceKey = convergenceKey
    }
}

package struct WrapKey: Hashable, Sendable, Codable {
    package var id: KeyID
    package var key: Base64

    package init(id: KeyID, key: Base64) {
        self.id = id
        self.key = key
    }
}
