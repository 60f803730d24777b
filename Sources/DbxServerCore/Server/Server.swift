package import DbxWire
import DbxModel
import DbxServerStores
import DbxSystem

/// The server's behaviour behind one façade: what routes and administrators' commands call.
///
/// Every method is synchronous, blocks on the disk, and may be called from any thread; the caller owns the threads.
/// Requests throw `Problem`, administrators' commands `ServerError`. Has no lock of its own: the stores, the hub and
/// the limiter guard themselves.
package final class Server: Sendable {
    package let configuration: ServerConfiguration
    package let events = EventHub()
    let metadata: any MetadataStore
    let objects: any ObjectStore
    let vault: KeyVault
    let cursorSigner: Signer
    let uploadSigner: Signer
    let limiter = LoginLimiter()
    let lastSeen = LastSeenTimes()
    let outbox = Outbox()
    /// What a password is compared with where the user does not exist, so that the answer takes as long.
    let decoyPassword: PasswordHash

    init(
        configuration: ServerConfiguration, metadata: any MetadataStore, objects: any ObjectStore, vault: KeyVault
    ) throws {
        self.configuration = configuration
        self.metadata = metadata
        self.objects = objects
        self.vault = vault
        cursorSigner = Signer(key: vault.signingKey("cursor"))
        uploadSigner = Signer(key: vault.signingKey("upload"))
        decoyPassword = try PasswordHash(
            password: "", cost: configuration.passwordCost, entropy: configuration.entropy)
    }

    var time: any TimeSource { configuration.time }
    var entropy: any Entropy { configuration.entropy }

    /// Opens the data directory, making it, its schema and its keys where there are none. Several processes may have
    /// it open (a serving one and commands).
    package static func open(_ configuration: ServerConfiguration) throws(ServerError) -> Server {
        try administering {
            do throws(Errno) {
                try Paths.createPrivateDirectory(configuration.dataDirectory)
            } catch {
                throw ServerError(.data, "The data directory \(configuration.dataDirectory) cannot be made: \(error).")
            }
            let metadata = try SQLMetadataStore(sqliteFile: configuration.metadataFile)
            let objects = try DirectoryObjectStore(root: configuration.blocksDirectory)
            let isNew = try metadata.read { try $0.orgs().isEmpty }
            let master = try KeyFile.load(configuration.keyFile, mayCreate: isNew, entropy: configuration.entropy)
            let vault = KeyVault(master: master, entropy: configuration.entropy)
            try prepareOrg(metadata, vault, configuration)
            // A process that was killed may have made the database without its name coming to the disk.
            do { try Paths.syncDirectory(configuration.dataDirectory) } catch {
                throw ServerError(
                    .data, "The data directory \(configuration.dataDirectory) cannot be synced: \(error).")
            }
            return try Server(configuration: configuration, metadata: metadata, objects: objects, vault: vault)
        }
    }

    /// Makes the first org where there is none; else checks that the key file belongs to the data.
    private static func prepareOrg(
        _ metadata: any MetadataStore, _ vault: KeyVault, _ configuration: ServerConfiguration
    ) throws {
        if let org = try metadata.read({ try $0.orgs().first }) {
            do { try vault.check(org) } catch {
                throw ServerError(
                    .keyFile, "The key file \(configuration.keyFile) belongs to other data: it does not open this.")
            }
            return
        }
        try metadata.write { rows in
            // Another process may have been first.
            guard try rows.orgs().isEmpty else { return }
            try rows.insert(vault.makeOrg(name: "default", now: configuration.time.now()))
        }
    }

    /// Called once by the process that serves, before its first request: removes what uploads cut short by a crash left
    /// behind and publishes notices that were not sent.
    package func startServing() throws(ServerError) {
        try Self.administering {
            try objects.removeStaged()
            let notices = try metadata.read { try $0.notices(limit: .max) }
            events.publish(notices.map(ChangeNotice.init))
            outbox.published(notices)
            try maintain()
        }
    }

    /// Called by the serving process every few minutes: gives up uploads that were idle for 7 days and forgets notices
    /// that were sent.
    package func maintain() throws(ServerError) {
        try Self.administering {
            let sent = outbox.takePublished()
            if !sent.isEmpty { try metadata.write { rows in for notice in sent { try rows.deleteNotice(notice) } } }
            // A clock that was wrong once must not pin uploads for years.
            try metadata.write { [now = time.now()] in try $0.touchUploads(notAfter: now) }
            while try expireUploads(limit: 500) == 500 {}
        }
    }

    /// Whether a transaction on the store and the object directory can be done now; for the readiness route.
    package func checkReady() throws(Problem) {
        try answering {
            _ = try metadata.read { try $0.orgs() }
            try checkRoom(for: 1)
            let probe = try objects.stage(UploadID(from: entropy))
            defer { probe.discard() }
            // Safe: the array outlives the call.
            unsafe try probe.append([UInt8(0)].span.bytes)
        }
    }
}
