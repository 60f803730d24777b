import DbxModel

extension SQLTransaction {
    func insert(_ org: OrgRecord) throws(StoreError) {
        try run(
            AccountStatements.insertOrg,
            [
                SQLValue(org.id), .text(org.name), .bytes(org.wrappedKey), .bytes(org.wrappedConvergenceKey),
                SQLValue(org.createdAt),
            ])
    }

    func orgs() throws(StoreError) -> [OrgRecord] {
        try rows(AccountStatements.orgs, []) { row throws(StoreError) in
            OrgRecord(
                id: try row.id(), name: try row.text(), wrappedKey: try row.bytes(),
                wrappedConvergenceKey: try row.bytes(), createdAt: try row.timestamp())
        }
    }

    func insert(_ user: UserRecord) throws(StoreError) {
        try run(
            AccountStatements.insertUser,
            [
                SQLValue(user.id), SQLValue(user.org), .text(user.name), .text(user.password),
                SQLValue(user.disabled), SQLValue(user.rootNamespace), SQLValue(user.createdAt),
            ])
    }

    func user(named name: String) throws(StoreError) -> UserRecord? {
        try row(AccountStatements.userNamed, [.text(name)], Self.user)
    }

    func user(_ id: UserID) throws(StoreError) -> UserRecord? {
        try row(AccountStatements.user, [SQLValue(id)], Self.user)
    }

    func users() throws(StoreError) -> [UserRecord] { try rows(AccountStatements.users, [], Self.user) }

    func setDisabled(_ disabled: Bool, user: UserID) throws(StoreError) {
        try run(AccountStatements.setUserDisabled, [SQLValue(user), SQLValue(disabled)])
    }

    func setPassword(_ password: String, user: UserID) throws(StoreError) {
        try run(AccountStatements.setUserPassword, [SQLValue(user), .text(password)])
    }

    func insert(_ device: DeviceRecord) throws(StoreError) {
        try run(
            AccountStatements.insertDevice,
            [
                SQLValue(device.id), SQLValue(device.user), .text(device.name), .bytes(device.tokenHash),
                SQLValue(device.createdAt), SQLValue(device.lastSeenAt), SQLValue(device.revoked),
            ])
    }

    func bearer(ofTokenHash hash: [UInt8]) throws(StoreError) -> TokenBearer? {
        try row(AccountStatements.deviceByToken, [.bytes(hash)]) { row throws(StoreError) in
            TokenBearer(device: try Self.device(&row), userDisabled: try row.bool(), org: try row.id())
        }
    }

    func device(_ id: DeviceID) throws(StoreError) -> DeviceRecord? {
        try row(AccountStatements.device, [SQLValue(id)], Self.device)
    }

    func devices(of user: UserID) throws(StoreError) -> [DeviceRecord] {
        try rows(AccountStatements.devicesOfUser, [SQLValue(user)], Self.device)
    }

    func setLastSeen(_ time: Timestamp, device: DeviceID) throws(StoreError) {
        try run(AccountStatements.touchDevice, [SQLValue(device), SQLValue(time)])
    }

    func revoke(_ device: DeviceID) throws(StoreError) { try run(AccountStatements.revokeDevice, [SQLValue(device)]) }

    func revokeDevices(of user: UserID) throws(StoreError) {
        try run(AccountStatements.revokeDevicesOfUser, [SQLValue(user)])
    }

    func standing(of device: DeviceID, of user: UserID, in namespace: NamespaceID?) throws(StoreError) -> Standing? {
        let values = [SQLValue(device), SQLValue(user), SQLValue(namespace)]
        return try row(AccountStatements.standing, values) { row throws(StoreError) in
            Standing(role: try row.optionalText())
        }
    }

    private static func user(_ row: inout RowReader) throws(StoreError) -> UserRecord {
        UserRecord(
            id: try row.id(), org: try row.id(), name: try row.text(), password: try row.text(),
            disabled: try row.bool(), rootNamespace: try row.id(), createdAt: try row.timestamp())
    }

    private static func device(_ row: inout RowReader) throws(StoreError) -> DeviceRecord {
        DeviceRecord(
            id: try row.id(), user: try row.id(), name: try row.text(), tokenHash: try row.bytes(),
            createdAt: try row.timestamp(), lastSeenAt: try row.timestamp(), revoked: try row.bool())
    }
}
