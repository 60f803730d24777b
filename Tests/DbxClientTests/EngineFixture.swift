import CurlHTTP
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
import Logging
import Synchronization

@testable import DbxClient

/// The engine of one device on a real server, without a kernel: between engine and server, and between engine and file
/// system, a test can step in.
final class EngineFixture {
    let server: ServerProcess
    let api: WatchedAPI
    let shared: SharedStore
    let fileSystem: FileSystem
    let tree: WatchedTree
    let engine: Engine
    private let connectivity: Connectivity
    private let fetcher: BlockFetcher
    private let uploader: ContentUploader
    private let journal: ActivityJournal
    private let judge: WorkerThread
    private let directory = TemporaryDirectory()
    private let caller = Caller(uid: 1_000, gid: 1_000)
    private let time = SystemTime()

    init(guardSettings: MassChangeGuard.Settings = MassChangeGuard.Settings()) throws {
        let password = "correct horse battery"
        server = try ServerProcess.start()
        try server.addUser("ann", password: password)
        let endpoint = ServerEndpoint(url: server.url, trust: .system)!
        let login = try HTTPDbxAPI(endpoint: endpoint, token: nil, time: time)
            .login(LoginRequest(user: "ann", password: password, device: "desk"))
        connectivity = Connectivity(time: time, entropy: SystemEntropy())
        api = WatchedAPI(HTTPDbxAPI(endpoint: endpoint, token: login.token, time: time, observer: connectivity))
        let session = try api.session(cancel: nil)
        let grant = session.namespaces[0]
        let store = try LocalStore(StoreConfiguration(directory: directory.path + "/store", freeSpaceFloorBytes: 0))
        try store.makeRoot(grant.rootNode, now: time.now(), knowledge: .partial)
        shared = SharedStore(store)
        let keys = KeyringBox(try NamespaceKeyring(grant.keys))
        let meter = TransferMeter(time: time)
        fetcher = try BlockFetcher(
            api: api, namespace: grant.id, shared: shared, keys: keys, meter: meter, time: time,
            entropy: SystemEntropy()
        ) { false }
        uploader = try ContentUploader(
            api: api, namespace: grant.id, shared: shared, keys: keys, meter: meter, entropy: SystemEntropy())
        journal = ActivityJournal(path: directory.path + "/activity", time: time)
        engine = Engine(
            Engine.Parts(
                shared: shared, api: api, namespace: grant.id, device: "desk", conflictPolicy: .keepBoth,
                guardSettings: guardSettings, keys: keys, uploader: uploader, connectivity: connectivity,
                time: time, entropy: SystemEntropy(), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                journal: journal
            ) { _ in })
        fileSystem = try FileSystem(
            shared: shared, blocks: fetcher, time: time, ownership: .everythingIs(uid: 1_000, gid: 1_000),
            events: engine, states: engine, limits: FileSystemLimits())
        tree = WatchedTree(fileSystem)
        judge = try WorkerThread(name: "dbxfs-connect") { [connectivity, api] in connectivity.run(asking: api) }
        try ListingPages(
            ListingPages.Parts(
                shared: shared, api: api, namespace: grant.id, device: "desk", conflictPolicy: .keepBoth, time: time,
                entropy: SystemEntropy(), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        ).bringFirst()
    }

    func start() throws { try engine.start(on: tree) }

    deinit {
        journal.stop()
        connectivity.stop()
        fetcher.shutdown()
        engine.stop()
        uploader.shutdown()
        fileSystem.shutdown()
        judge.join()
    }

    // MARK: Files

    func write(_ bytes: [UInt8], to name: String, at offset: Int64 = 0) throws {
        let name = Name(name)!
        let known = try fileSystem.lookup(name, in: .root)
        let blueprint = NodeBlueprint(kind: .file, permissions: 0o644)
        let file = try known ?? fileSystem.make(blueprint, named: name, in: .root, by: caller)
        guard try fileSystem.writeAtOnce(bytes.span.bytes, to: file.number, at: offset) == bytes.count else {
            throw Errno.noSpace
        }
    }

    func makeDirectory(_ name: String) throws {
        let blueprint = NodeBlueprint(kind: .directory, permissions: 0o755)
        _ = try fileSystem.make(blueprint, named: Name(name)!, in: .root, by: caller)
    }

    func remove(_ name: String) throws { try fileSystem.unlink(Name(name)!, in: .root) }

    func sync() throws { try engine.sync { _ in true } }

    /// Whether everything is on the server.
    var isSynced: Bool { engine.pending().isEmpty }
}

/// A server that a test listens to and may answer for. Everything else goes on to the real one.
final class WatchedAPI: DbxAPI {
    private let server: HTTPDbxAPI
    private let sent = Mutex<[CommitRequest]>([])
    private let judgement = Mutex<@Sendable (CommitRequest) -> ProblemKind?>({ _ in nil })

    init(_ server: HTTPDbxAPI) { self.server = server }

    /// The commits that were sent, refused ones too.
    var commits: [CommitRequest] { sent.withLock { $0 } }

    /// Commits for which `judge` names a problem are refused with it.
    func refuse(_ judge: @escaping @Sendable (CommitRequest) -> ProblemKind?) { judgement.withLock { $0 = judge } }

    func commit(in namespace: NamespaceID, body: [UInt8], cancel: CancelToken?) throws(APIError) -> CommitResult {
        guard let request = try? CommitRequest(body: body) else {
            throw APIError(.garbage("the client sent no commit"))
        }
        sent.withLock { $0.append(request) }
        if let problem = judgement.withLock({ $0 })(request) {
            throw APIError(.problem(Problem(kind: problem, detail: "by a test")))
        }
        return try server.commit(in: namespace, body: body, cancel: cancel)
    }

    func health(cancel: CancelToken?) throws(APIError) { try server.health(cancel: cancel) }
    func login(_ request: LoginRequest) throws(APIError) -> LoginResponse { try server.login(request) }
    func logout() throws(APIError) { try server.logout() }
    func devices() throws(APIError) -> [DeviceRow] { try server.devices() }
    func revoke(_ device: DeviceID) throws(APIError) { try server.revoke(device) }
    func session(cancel: CancelToken?) throws(APIError) -> SessionResponse { try server.session(cancel: cancel) }

    func changes(
        in namespace: NamespaceID, after cursor: String?, limit: Int, cancel: CancelToken?
    ) throws(APIError) -> ReceivedPage {
        try server.changes(in: namespace, after: cursor, limit: limit, cancel: cancel)
    }

    func listing(
        in namespace: NamespaceID, of directory: NodeID, _ request: ListingRequest, cancel: CancelToken?
    ) throws(APIError) -> ListingPage {
        try server.listing(in: namespace, of: directory, request, cancel: cancel)
    }

    func nodes(
        _ ids: [NodeID], in namespace: NamespaceID, cursor: String?, cancel: CancelToken?
    ) throws(APIError) -> NodesPage {
        try server.nodes(ids, in: namespace, cursor: cursor, cancel: cancel)
    }

    func requestUploads(
        in namespace: NamespaceID, _ blocks: [OfferedBlock], cancel: CancelToken?
    ) throws(APIError) -> [UploadGrant] {
        try server.requestUploads(in: namespace, blocks, cancel: cancel)
    }

    func storePack(
        in namespace: NamespaceID, _ blocks: [[UInt8]], cancel: CancelToken?
    ) throws(APIError) -> [Bool] {
        try server.storePack(in: namespace, blocks, cancel: cancel)
    }

    func putUpload(_ upload: SignedUpload, bytes: [UInt8], cancel: CancelToken?) throws(APIError) {
        try server.putUpload(upload, bytes: bytes, cancel: cancel)
    }

    func block(
        _ block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8] {
        try server.block(block, in: namespace, storedBytes: storedBytes, cancel: cancel)
    }

    func blockRange(
        _ range: Range<Int>, of block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8] {
        try server.blockRange(range, of: block, in: namespace, storedBytes: storedBytes, cancel: cancel)
    }

    func blocks(
        _ blocks: [WantedBlock], in namespace: NamespaceID, cancel: CancelToken?, receive: (Int, [UInt8]?) -> Void
    ) throws(APIError) {
        try server.blocks(blocks, in: namespace, cancel: cancel, receive: receive)
    }

    func events(cancel: CancelToken?, receive: (StreamedEvent) -> Bool) throws(APIError) {
        try server.events(cancel: cancel, receive: receive)
    }

    func poll(after: [NamespaceID: Seq], timeoutSeconds: Int, cancel: CancelToken?) throws(APIError) -> PollResponse {
        try server.poll(after: after, timeoutSeconds: timeoutSeconds, cancel: cancel)
    }
}

/// A mounted tree whose disk a test may let fail. Everything else is the file system's.
final class WatchedTree: SyncedTree {
    private let fileSystem: FileSystem
    private let state = Mutex<(failure: Errno?, refusals: Int)>((nil, 0))

    init(_ fileSystem: FileSystem) { self.fileSystem = fileSystem }

    /// From now on the disk does not keep anything, or with nil does so again.
    func failSyncs(with error: Errno?) { state.withLock { $0.failure = error } }
    /// How often somebody was told that the disk did not keep something.
    var refusals: Int { state.withLock { $0.refusals } }

    func synchronizeEverything() throws(Errno) {
        let failure = state.withLock { state in
            if state.failure != nil { state.refusals += 1 }
            return state.failure
        }
        if let failure { throw failure }
        try fileSystem.synchronizeEverything()
    }

    func apply(changes: [TreeChange]) { fileSystem.apply(changes: changes) }
    func openForWriting(_ number: InodeNumber) -> Bool { fileSystem.openForWriting(number) }
    func isOpen(_ number: InodeNumber) -> Bool { fileSystem.isOpen(number) }
    func removeOrphans() { fileSystem.removeOrphans() }
    func setQuota(_ quota: StorageQuota?) { fileSystem.setQuota(quota) }
    func roomMayHaveGrown() { fileSystem.roomMayHaveGrown() }
    func fold(_ number: InodeNumber) { fileSystem.fold(number) }

    func contents(of number: InodeNumber, at offset: Int64, count: Int) throws(Errno) -> [UInt8] {
        try fileSystem.contents(of: number, at: offset, count: count)
    }
}
