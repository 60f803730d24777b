import CSimulation
import DbxClient
import DbxClientAPI
import DbxContent
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSync
import DbxSystem
import DbxTestKit
import DbxTransfer
import DbxWire
import Foundation
import Logging

/// What a device knows of its account: kept outside of its disk, as if written long ago.
struct Login {
    var token: String
    var session: SessionResponse
}

/// One life of a device's daemon, from its start to its end or death: everything that `ClientDaemon` puts together, but
/// for the kernel.
///
/// Sendable because one thread of a simulation runs at a time.
final class DeviceLife: @unchecked Sendable {
    let connectivity: Connectivity
    let engine: Engine
    let fileSystem: FileSystem
    private let fetcher: BlockFetcher
    private let listing: ListingPages
    private let lister: DirectoryLister
    private let crawler: Crawler
    private let uploader: ContentUploader
    private let events: EventStream
    private let journal: ActivityJournal
    private let judge: WorkerThread
    /// Where the plan has texts merged.
    private let merger: TextMerger?
    let shared: SharedStore

    init(
        name: String, login: Login, disk: WatchedDisk, boot: [UInt8], api: SimulatedAPI, connectivity: Connectivity,
        time: any TimeSource, entropy: SeededEntropy, treeLimit: Int, guardSettings: MassChangeGuard.Settings,
        merges: Ledger?, trace: Trace
    ) throws {
        guard let grant = login.session.namespaces.first(where: { $0.id == login.session.root }) else {
            throw Violation("the session names no tree")
        }
        sim_seed_sqlite(UInt32(truncatingIfNeeded: entropy.next()))
        let store = try LocalStore(
            StoreConfiguration(directory: disk.path + "/store", freeSpaceFloorBytes: 0), time: time, entropy: entropy,
            boot: boot)
        try store.makeRoot(grant.rootNode, now: time.now(), knowledge: .partial)
        let shared = SharedStore(store)
        let keys = KeyringBox(try NamespaceKeyring(grant.keys))
        let meter = TransferMeter(time: time)
        let isAway: @Sendable () -> Bool = {
            let state = connectivity.status.state
            return state == .offline || state == .refused
        }
        let fetcher = try BlockFetcher(
            api: api, namespace: grant.id, shared: shared, keys: keys, meter: meter, time: time, entropy: entropy,
            threads: 2, isServerAway: isAway)
        let log = Logger(label: name) { TraceLog(label: $0, trace: trace) }
        listing = ListingPages(
            ListingPages.Parts(
                shared: shared, api: api, namespace: grant.id, device: name, conflictPolicy: .keepBoth, time: time,
                entropy: entropy, log: log))
        let lister = try DirectoryLister(listing, isServerAway: isAway)
        self.lister = lister
        connectivity.onChange { [weak fetcher, weak lister] state in
            guard state != .connected else { return }
            fetcher?.serverWentAway()
            lister?.serverWentAway()
        }
        uploader = try ContentUploader(
            api: api, namespace: grant.id, shared: shared, keys: keys, meter: meter, entropy: entropy, threads: 2)
        journal = ActivityJournal(path: disk.path + "/activity", time: time)
        var parts = Engine.Parts(
            shared: shared, api: api, namespace: grant.id, device: name, conflictPolicy: .keepBoth,
            guardSettings: guardSettings, keys: keys, uploader: uploader, connectivity: connectivity,
            time: time, entropy: entropy, log: log,
            journal: journal
        ) { _ in }
        parts.rowsInCommit = entropy.element(of: [1_000, 4, 2])
        parts.leastRowsToPlanAhead = 1
        engine = Engine(parts)
        var limits = FileSystemLimits()
        limits.inputThreads = 2
        fileSystem = try FileSystem(
            shared: shared, blocks: fetcher, listing: lister, time: time,
            ownership: .everythingIs(uid: 1_000, gid: 1_000),
            events: engine, states: engine, limits: limits)
        merger = merges.map { [shared, fileSystem, journal] ledger in
            TextMerger(
                TextMerger.Parts(
                    shared: shared, fileSystem: fileSystem, journal: journal,
                    willMerge: { ledger.mayMerge(on: name, ours: $0, theirs: $1, into: $2) }, log: log))
        }
        crawler = Crawler(shared: shared, lister: lister, limit: treeLimit, time: time) { connectivity.isConnected }
        events = EventStream(
            api: api, namespace: grant.id, connectivity: connectivity, time: time, entropy: entropy,
            opened: { [engine] in engine.serverMayBeAnother() }
        ) { [engine] head in engine.noticed(head: head) }
        judge = try WorkerThread(name: "dbxfs-connect") { connectivity.run(asking: api) }
        self.shared = shared
        self.fetcher = fetcher
        self.connectivity = connectivity
    }

    /// The first mount lists the mounted directory; throws where the server cannot be reached for that.
    func start() throws {
        let isKnown = try shared.withStore { store throws(StoreError) in try store.meta(SyncMeta.cursor) != nil }
        if !isKnown { try listing.bringFirst() }
        listing.attach(fileSystem) { [engine] news in engine.listed(news) }
        engine.onRelisting { [crawler] in crawler.kick() }
        engine.onConflict { [weak merger] in merger?.kick() }
        try engine.start(on: fileSystem)
        try events.start()
        try merger?.start()
        try crawler.start()
    }

    /// What there is to be done about conflicts that are to be merged.
    var mergesPending: [String] {
        guard merger != nil else { return [] }
        let waiting = try? shared.withStore { store throws(StoreError) -> [String] in
            var waiting: [String] = []
            for conflict in try OpenConflict.all(in: store) {
                let step = try MergeStep.next(for: conflict, in: store)
                // What a folder says no more is forgotten with the next conflict.
                if step != .nothing, step != .forget { waiting.append("\(step): \(conflict)") }
            }
            return waiting
        }
        return waiting ?? ["unknown"]
    }

    /// Programs that wait for the network wait no more.
    func giveUpReads() {
        connectivity.stop()
        lister.shutdown()
        fetcher.shutdown()
    }

    /// As `ClientDaemon.end`.
    func end() {
        journal.stop()
        connectivity.stop()
        events.stop()
        crawler.stop()
        lister.shutdown()
        fetcher.shutdown()
        merger?.stop()
        engine.stop()
        uploader.shutdown()
        fileSystem.shutdown()
        judge.join()
        shared.withStore { $0.close() }
    }
}
