import DbxModel
import DbxServerStores

extension Server {
    /// Makes an account with its root namespace.
    package func addUser(
        name: String, password: String, limitBytes: Int64? = nil
    ) throws(ServerError) -> UserSummary {
        try Self.administering {
            try Self.checkName(name)
            try Self.checkLimit(limitBytes)
            let hash = try passwordHash(password)
            let now = time.now()
            return try metadata.write { rows in
                guard try rows.user(named: name) == nil else {
                    throw ServerError(.alreadyExists, "There is a user '\(name)' already.")
                }
                let maker = AccountMaker(rows: rows, vault: vault, entropy: entropy, now: now)
                return try summary(maker.make(name: name, password: hash, limitBytes: limitBytes), rows)
            }
        }
    }

    package func listUsers() throws(ServerError) -> [UserSummary] {
        try Self.administering {
            try metadata.read { rows in try rows.users().map { try summary($0, rows) } }
        }
    }

    /// Refuses the user's devices at once; they stay listed and work again after `enableUser`.
    package func disableUser(name: String) throws(ServerError) {
        let devices = try changeUser(name) { user, rows in
            try rows.setDisabled(true, user: user.id)
            return try rows.devices(of: user.id).map(\.id)
        }
        events.end(Set(devices))
    }

    package func enableUser(name: String) throws(ServerError) {
        try changeUser(name) { user, rows in try rows.setDisabled(false, user: user.id) }
    }

    package func setPassword(name: String, password: String, revokeDevices: Bool) throws(ServerError) {
        let hash = try Self.administering { try passwordHash(password).text }
        let devices = try changeUser(name) { user, rows in
            try rows.setPassword(hash, user: user.id)
            guard revokeDevices else { return [DeviceID]() }
            let devices = try rows.devices(of: user.id).map(\.id)
            try rows.revokeDevices(of: user.id)
            return devices
        }
        events.end(Set(devices))
    }

    /// No limit when nil.
    package func setQuota(name: String, limitBytes: Int64?) throws(ServerError) {
        try Self.administering { try Self.checkLimit(limitBytes) }
        try changeUser(name) { user, rows in try rows.setLimit(limitBytes, of: user.rootNamespace) }
    }

    package func status() throws(ServerError) -> ServerStatus {
        try Self.administering {
            let free = try objects.freeBytes() ?? .max
            return try metadata.read { rows in
                let (live, stored) = (try rows.liveBlocks(), try rows.storedBlocks())
                return ServerStatus(
                    users: try rows.userCount(), devices: try rows.deviceCount(), nodes: try rows.nodeCount(),
                    liveBlocks: live.blocks, liveBytes: live.bytes, storedBlocks: stored.blocks,
                    storedBytes: stored.bytes, freeBytes: free)
            }
        }
    }

    @discardableResult
    private func changeUser<Result>(
        _ name: String, _ change: (UserRecord, any MetadataTransaction) throws -> Result
    ) throws(ServerError) -> Result {
        try Self.administering {
            try metadata.write { rows in
                guard let user = try rows.user(named: name) else {
                    throw ServerError(.notFound, "There is no user '\(name)'.")
                }
                return try change(user, rows)
            }
        }
    }

    private func summary(_ user: UserRecord, _ rows: any MetadataTransaction) throws -> UserSummary {
        guard let usage = try rows.usage(of: user.id) else {
            throw StoreError.corrupt("the root namespace of \(user.name) is missing")
        }
        return UserSummary(
            id: user.id, name: user.name, disabled: user.disabled, createdAt: user.createdAt, devices: usage.devices,
            usedBytes: usage.usedBytes, limitBytes: usage.limitBytes)
    }

    private func passwordHash(_ password: String) throws -> PasswordHash {
        guard (1...1_024).contains(password.utf8.count) else {
            throw ServerError(.invalidArgument, "A password has 1 to 1024 bytes.")
        }
        return try PasswordHash(password: password, cost: configuration.passwordCost, entropy: entropy)
    }

    private static func checkName(_ name: String) throws {
        let allowed = name.unicodeScalars.allSatisfy {
            !$0.properties.isWhitespace && $0.value >= 32 && $0.value != 127
        }
        guard (1...64).contains(name.utf8.count), allowed else {
            throw ServerError(
                .invalidArgument, "A user's name has 1 to 64 bytes, without spaces and control characters.")
        }
    }

    private static func checkLimit(_ limitBytes: Int64?) throws {
        guard limitBytes ?? 0 >= 0 else { throw ServerError(.invalidArgument, "A quota is not negative.") }
    }
}
