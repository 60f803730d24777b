extension Server {
    /// Makes an account with its root namespace.
    package func addUser(
        name: String, password: String, limitBytes: Int64? = nil
    ) throws(ServerError) -> UserSummary { fatalError() }
    package func listUsers() throws(ServerError) -> [UserSummary] { fatalError() }
    /// Refuses the user's devices at once; they stay listed and work again after `enableUser`.
    package func disableUser(name: String) throws(ServerError) { fatalError() }
    package func enableUser(name: String) throws(ServerError) { fatalError() }
    package func setPassword(name: String, password: String, revokeDevices: Bool) throws(ServerError) { fatalError() }
    /// No limit when nil.
    package func setQuota(name: String, limitBytes: Int64?) throws(ServerError) { fatalError() }
    package func status() throws(ServerError) -> ServerStatus { fatalError() }
    /// Online: rows first, then the blocks. `directory` must not exist or be empty. The key file is copied only where
    /// `includeKey` asks for it.
    package func backup(to directory: String, includeKey: Bool) throws(ServerError) -> BackupReport { fatalError() }
    /// Fills an empty data directory from a backup and starts a new epoch, so that every client lists again. The key
    /// comes from `configuration.keyFile`, or from the backup where it holds it.
    package static func restore(
        from directory: String, _ configuration: ServerConfiguration
    ) throws(ServerError) -> RestoreReport { fatalError() }
}
