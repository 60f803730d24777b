import CurlHTTP
import DbxClientAPI
import DbxContent
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxMount
import DbxSync
import DbxSystem
import DbxTransfer
import DbxWire
import FuseLowLevel
import Glibc
package import Logging
import Synchronization

/// The process behind one mount: puts the client's parts together, and takes them apart in order.
///
/// Sendable: parts are set in `init` and guard themselves; `ending` is a monitor.
package final class ClientDaemon: Sendable {
    /// Why the daemon ends.
    struct Ending: Sendable {
        var isMountGone = false
        var isAskedTo = false
    }

    let options: MountOptions
    let log: Logger
    let credentials: Credentials
    let connectivity: Connectivity
    let api: HTTPDbxAPI
    let shared: SharedStore
    let meter: TransferMeter
    let fetcher: BlockFetcher
    let listing: ListingPages
    let lister: DirectoryLister
    let crawler: Crawler
    private let uploader: ContentUploader
    let engine: Engine
    let metered: MeteredLink
    let fileSystem: FileSystem
    let pinKeeper: PinKeeper
    let merger: TextMerger
    private let events: EventStream
    let journal: ActivityJournal
    let changeEvents = ChangeEvents()
    let rates: RateLimits
    let settings: Mutex<TransferSettings>
    let mount = Monitor<Mount?>(nil)
    let ending = Monitor(Ending())
    let startedAt: Timestamp

    /// Serves the mount until somebody unmounts it or asks the daemon to end. On the process's main thread, before it has
    /// others. `readiness` is told when the mount answers; a failure before that is thrown.
    package static func run(
        _ options: MountOptions, readiness: ReadinessReport, log: Logger, progress: (String) -> Void = { _ in }
    ) throws(ClientFailure) {
        SignalThread.block()
        // Before the lock, by which a daemon that lives is told from a mount that one has left behind.
        try MountPoint.prepare(options.mountPoint)
        let lock = try ProfileLock.take(options.profile, mountPoint: options.mountPoint)
        defer { withExtendedLifetime(lock) {} }
        if options.allowOther { try MountPoint.checkAllowOther() }
        let credentials = try Credentials.load(for: options.profile)
        let store = try openStore(options, root: grant(in: credentials).rootNode, log, progress)
        let daemon = try ClientDaemon(options, credentials: credentials, store: store, log: log)
        try daemon.serve(readiness, progress)
    }

    private init(
        _ options: MountOptions, credentials: Credentials, store shared: SharedStore, log: Logger
    ) throws(ClientFailure) {
        let time = SystemTime()
        let entropy = SystemEntropy()
        let connectivity = Connectivity(time: time, entropy: entropy)
        let endpoint = try ServerAddress.endpoint(options.settings.server, pinned: credentials.pinnedCertificate)
        let rates = RateLimits(time: time)
        let api = HTTPDbxAPI(
            endpoint: endpoint, token: credentials.token, time: time, rates: rates, observer: connectivity)
        let settings = try TransferSettings.load(for: options.profile)
        let journal = ActivityJournal(path: options.profile.activityFile, time: time)
        let grant = try Self.grant(in: credentials)
        let keys = KeyringBox(try Self.keyring(grant))
        let meter = TransferMeter(time: time)
        do throws(Errno) {
            let fetcher = try BlockFetcher(
                api: api, namespace: grant.id, shared: shared, keys: keys, meter: meter, time: time, entropy: entropy
            ) {
                let state = connectivity.status.state
                return state == .offline || state == .refused
            }
            let listing = ListingPages(
                ListingPages.Parts(
                    shared: shared, api: api, namespace: grant.id, device: credentials.session.deviceName,
                    conflictPolicy: options.settings.conflictPolicy ?? .keepBoth, time: time, entropy: entropy, log: log
                ))
            let lister = try DirectoryLister(listing) {
                let state = connectivity.status.state
                return state == .offline || state == .refused
            }
            connectivity.onChange { state in
                log.info("connection: \(state.rawValue)")
                guard state != .connected else { return }
                fetcher.serverWentAway()
                lister.serverWentAway()
            }
            self.listing = listing
            self.lister = lister
            uploader = try ContentUploader(
                api: api, namespace: grant.id, shared: shared, keys: keys, meter: meter, entropy: entropy)
            engine = Engine(
                Engine.Parts(
                    shared: shared, api: api, namespace: grant.id, device: credentials.session.deviceName,
                    conflictPolicy: options.settings.conflictPolicy ?? .keepBoth,
                    guardSettings: Self.guardSettings(options.settings), keys: keys, uploader: uploader,
                    connectivity: connectivity, time: time, entropy: entropy, log: log,
                    journal: journal,
                    events: Self.listener(changeEvents, options.settings), tellUser: DesktopNotice.shower
                ) { session in Self.keep(session, credentials, options.profile, keys, log) })
            fileSystem = try FileSystem(
                shared: shared, blocks: fetcher, listing: lister, time: time, ownership: Self.ownership(options),
                events: engine,
                states: engine, uploads: Self.uploads(meter, connectivity, engine), limits: Self.limits(options))
            self.fetcher = fetcher
            pinKeeper = Self.pinKeeper(shared, fetcher, lister, engine, fileSystem, connectivity)
            merger = TextMerger(
                TextMerger.Parts(
                    shared: shared, fileSystem: fileSystem, journal: journal,
                    events: Self.listener(changeEvents, options.settings), log: log))
            let engine = engine
            crawler = Crawler(
                shared: shared, lister: lister, limit: options.settings.treeLimit ?? Crawler.defaultLimit, time: time
            ) { connectivity.isConnected && engine.mayFetchAhead }
            metered = MeteredLink(engine, log: log)
        } catch {
            throw ClientFailure(
                .failed, "Cannot start the daemon's threads: \(error)",
                remedy: "Raise the limit of processes (ulimit -u).")
        }
        events = EventStream(
            api: api, namespace: grant.id, connectivity: connectivity, time: time, entropy: entropy,
            opened: { [engine] in engine.serverMayBeAnother() }
        ) { [engine] head in engine.noticed(head: head) }
        self.options = options
        self.log = log
        self.credentials = credentials
        self.connectivity = connectivity
        self.api = api
        self.shared = shared
        self.meter = meter
        self.journal = journal
        self.rates = rates
        self.settings = Mutex(settings)
        startedAt = time.now()
        apply(settings)
    }

    // MARK: From start to end

    private func serve(_ readiness: ReadinessReport, _ progress: (String) -> Void) throws(ClientFailure) {
        let control = ControlServer(profile: options.profile, mountPoint: options.mountPoint, handler: self)
        let judge = try start(progress)
        var isServing = false
        defer { end(control: isServing ? control : nil, judge: judge) }
        try startMount()
        try control.start()
        isServing = true
        readiness.ready()
        ServiceNotifier.notify("READY=1")
        log.info("mounted at \(options.mountPoint)")
        let reason = ending.wait { $0.isMountGone || $0.isAskedTo ? $0 : nil }
        ServiceNotifier.notify("STOPPING=1")
        sendBeforeTheEnd()
        if reason?.isMountGone == false { takeMountAway() }
    }

    /// Everything that needs no mount. Returns the thread that watches the connection.
    private func start(_ progress: (String) -> Void) throws(ClientFailure) -> WorkerThread {
        let judge: WorkerThread
        do throws(Errno) {
            try SignalThread.start { [ending, log] number in
                log.info("signal \(number)")
                ending.update { $0.isAskedTo = true }
            }
            // Without it a network that comes back is found by the next try, within half a minute.
            try? NetworkWatch.start { [connectivity, metered] in
                connectivity.networkChanged()
                metered.networkChanged()
            }
            try? SleepWatch.start(who: "dbxfs", sleepHandler)
            judge = try WorkerThread(name: "dbxfs-connect") { [connectivity, api] in connectivity.run(asking: api) }
        } catch {
            throw Self.threadFailure(error)
        }
        do throws(ClientFailure) {
            try fillEmptyReplica()
            try bringBack(progress)
            do throws(Errno) {
                listing.attach(fileSystem) { [engine] news in engine.listed(news) }
                engine.onRelisting { [crawler] in crawler.kick() }
                engine.onConflict { [merger] in merger.kick() }
                try engine.start(on: fileSystem)
                try metered.start()
                try events.start()
                try pinKeeper.start()
                try merger.start()
                try crawler.start()
            } catch {
                throw Self.threadFailure(error)
            }
        } catch {
            end(control: nil, judge: judge)
            throw error
        }
        return judge
    }

    /// The first mount of an account begins with what lies in the mounted directory; later ones show what is known.
    private func fillEmptyReplica() throws(ClientFailure) {
        do {
            let isKnown = try shared.withStore { store throws(StoreError) in try store.meta(SyncMeta.cursor) != nil }
            guard !isKnown else { return }
            try shared.withStore { store throws(StoreError) in try store.setKnowledge(of: .root, .partial) }
            try listing.bringFirst()
        } catch let error as APIError {
            throw waiting(because: Account.failure(of: error, server: options.settings.server))
        } catch {
            throw ClientFailure(
                .failed, "Cannot write the local state in \(options.profile.dataDirectory): \(error)",
                remedy: "Check that its disk is writable and not full.")
        }
    }

    private func startMount() throws(ClientFailure) {
        do throws(FuseMountError) {
            let new = try Mount(
                fileSystem, at: options.mountPoint, allowOther: options.allowOther, stage: changeEvents.stage
            ) { [ending] in
                ending.update { $0.isMountGone = true }
            }
            mount.withLock { $0 = new }
            try? changeEvents.start(
                on: WatchedTree(
                    mountPoint: options.mountPoint, shared: shared, fileSystem: fileSystem, mount: new,
                    time: SystemTime(), log: log))
        } catch {
            throw ClientFailure(.mountPoint, "Cannot mount: \(error)", remedy: Self.remedy(error, options.mountPoint))
        }
    }

    /// Asked to end, we go even when programs are in there.
    private func takeMountAway() {
        changeEvents.stop()
        guard let mount = mount.withLock({ $0 }) else { return }
        do throws(FuseMountError) {
            try mount.unmount()
        } catch {
            if error.reason != .notMounted {
                log.notice("\(error); detaching it anyway")
                try? mount.unmount(lazily: true)
            }
            mount.stop()
        }
    }

    /// In this order: no new requests, no more sync, the last epoch. Whoever gets the profile's lock next finds the store free.
    private func end(control: ControlServer?, judge: WorkerThread) {
        mount.withLock { $0 }?.waitUntilEnded(seconds: 10)
        changeEvents.stop()
        journal.stop()
        control?.stop()
        connectivity.stop()
        events.stop()
        crawler.stop()
        lister.shutdown()
        fetcher.shutdown()
        pinKeeper.stop()
        merger.stop()
        metered.stop()
        engine.stop()
        uploader.shutdown()
        fileSystem.shutdown()
        judge.join()
        shared.withStore { $0.close() }
        log.info("ended")
    }
}
