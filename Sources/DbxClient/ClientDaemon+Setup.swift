import DbxContent
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxTransfer
import DbxWire
import FuseLowLevel
import Glibc
import Logging

/// What the daemon is made from, with the failures that a person can do something about.
extension ClientDaemon {
    static func grant(in credentials: Credentials) throws(ClientFailure) -> NamespaceGrant {
        guard let grant = credentials.session.namespaces.first(where: { $0.id == credentials.session.root }) else {
            throw ClientFailure(
                .notLoggedIn, "The stored session names no tree", remedy: "Log in again: dbxfs login")
        }
        return grant
    }

    static func keyring(_ grant: NamespaceGrant) throws(ClientFailure) -> NamespaceKeyring {
        do throws(KeyringError) {
            return try NamespaceKeyring(grant.keys)
        } catch {
            throw ClientFailure(
                .notLoggedIn, "The stored keys cannot be used (\(error))", remedy: "Log in again: dbxfs login")
        }
    }

    /// Where the local state is damaged, what only it has is saved and a new one begun.
    static func openStore(
        _ options: MountOptions, root: NodeID, _ log: Logger, _ progress: (String) -> Void
    ) throws(ClientFailure) -> SharedStore {
        do throws(StoreError) {
            return try openStore(options, root: root)
        } catch {
            guard case .corrupt(let problem) = error else { throw unusable(error, options) }
            let recovery = try Recovery.run(for: options.profile, problem: problem)
            for loss in recovery.losses { log.error("lost with the damaged local state: \(loss)") }
            log.error("\(recovery.summary)")
            progress("dbxfs: \(recovery.summary).")
        }
        do throws(StoreError) {
            return try openStore(options, root: root)
        } catch {
            throw unusable(error, options)
        }
    }

    private static func openStore(_ options: MountOptions, root: NodeID) throws(StoreError) -> SharedStore {
        let store = try LocalStore(storeConfiguration(options))
        try store.makeRoot(root, now: SystemTime().now(), knowledge: .partial)
        return SharedStore(store)
    }

    private static func unusable(_ error: StoreError, _ options: MountOptions) -> ClientFailure {
        return ClientFailure(
            .failed, "Cannot open the local state in \(options.profile.dataDirectory): \(error)",
            remedy: "Check that its disk is writable and not full.")
    }

    /// Root's mount for everybody shows whose files are whose; any other shows all as the mounting user's.
    static func ownership(_ options: MountOptions) -> Ownership {
        geteuid() == 0 && options.allowOther
            ? .numbers(uid: 0, gid: 0) : .everythingIs(uid: geteuid(), gid: getegid())
    }

    private static func storeConfiguration(_ options: MountOptions) -> StoreConfiguration {
        var configuration = StoreConfiguration(
            directory: options.profile.dataDirectory, cacheLimitBytes: options.settings.cacheLimitBytes)
        if let limit = options.settings.dirtyLimitBytes { configuration.stagingLimitBytes = limit }
        return configuration
    }

    static func limits(_ options: MountOptions) -> FileSystemLimits {
        var limits = FileSystemLimits()
        if let seconds = options.settings.readTimeoutSeconds { limits.longestRead = .seconds(seconds) }
        if let names = options.settings.idleReaders { limits.idleReaders = IdleReaders(names) }
        return limits
    }

    /// Nil while nothing goes up.
    static func uploads(
        _ meter: TransferMeter, _ connectivity: Connectivity, _ engine: Engine
    ) -> @Sendable () -> UploadProgress? {
        {
            guard connectivity.isConnected, !engine.pause.isOn else { return nil }
            let progress = meter.uploadProgress
            return engine.isMetered && progress.outstandingBytes == 0 ? nil : progress
        }
    }

    static func pinKeeper(
        _ shared: SharedStore, _ fetcher: BlockFetcher, _ lister: DirectoryLister, _ engine: Engine,
        _ fileSystem: FileSystem, _ connectivity: Connectivity
    ) -> PinKeeper {
        PinKeeper(
            shared: shared, blocks: fetcher, time: SystemTime(),
            PinKeeper.Surroundings(
                tree: { engine.treeState },
                mayFetch: { engine.mayFetchAhead && connectivity.status.state == .connected },
                list: { lister.listAll(of: $0) == nil },
                makeRoom: { try? fileSystem.synchronizeEverything() }))
    }

    static func guardSettings(_ chosen: ProfileSettings) -> MassChangeGuard.Settings {
        var settings = MassChangeGuard.Settings()
        if let minimum = chosen.guardMinimum { settings.minimum = max(1, minimum) }
        if let share = chosen.guardShare { settings.share = min(max(0, share), 1) }
        if let age = chosen.guardAgeSeconds { settings.age = .seconds(max(0, age)) }
        return settings
    }

    static func listener(
        _ changeEvents: ChangeEvents, _ settings: ProfileSettings
    ) -> (@Sendable ([RemoteEvent]) -> Void)? {
        guard settings.changeEvents != false else { return nil }
        return { events in changeEvents.tell(events) }
    }

    static func threadFailure(_ error: Errno) -> ClientFailure {
        ClientFailure(
            .failed, "Cannot start the daemon's threads: \(error)", remedy: "Raise the limit of processes (ulimit -u).")
    }

    static func remedy(_ error: FuseMountError, _ path: String) -> String {
        switch error.reason {
        case .noDevice: "Load the kernel module (sudo modprobe fuse); /dev/fuse must be open to you (mode 0666)."
        case .noHelper: "Install it: sudo apt install fuse3"
        case .missing: "Run: mkdir -p \(path)"
        case .stale: "Run: fusermount3 -u -z \(path)"
        default: "Correct that, or mount on another empty directory."
        }
    }

    /// Other keys take effect now and are there at the next start without a network.
    static func keep(
        _ session: SessionResponse, _ credentials: Credentials, _ profile: Profile, _ keys: KeyringBox, _ log: Logger
    ) {
        guard let grant = session.namespaces.first(where: { $0.id == session.root }) else { return }
        let known = credentials.session.namespaces.first { $0.id == session.root }
        guard grant.keys != known?.keys || grant.role != known?.role else { return }
        do {
            keys.keyring = try NamespaceKeyring(grant.keys)
            var renewed = credentials
            renewed.session = session
            try renewed.save(for: profile)
        } catch {
            log.warning("the account's new keys cannot be kept: \(error)")
        }
    }
}
