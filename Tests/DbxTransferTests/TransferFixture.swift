import CurlHTTP
import DbxContent
import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import DbxTransfer
import DbxWire
import Synchronization
import Testing

/// A local store with an uploader and a fetcher on a server in memory.
final class TransferFixture {
    let server: FakeServer
    let shared: SharedStore
    let uploader: ContentUploader
    let fetcher: BlockFetcher
    let meter: TransferMeter
    let isAway = Switch()
    private let directory = TemporaryDirectory()
    private let time = SystemTime()

    init(_ faults: FakeServer.Faults = FakeServer.Faults(), cacheLimitBytes: Int64 = 1 << 30) throws {
        server = FakeServer(faults)
        let store = try LocalStore(
            StoreConfiguration(
                directory: directory.path, cacheLimitBytes: cacheLimitBytes, freeSpaceFloorBytes: 0))
        try store.makeRoot(NodeID(high: 1, low: 1), now: time.now())
        shared = SharedStore(store)
        let wrapKey = KeyID(high: 9, low: 9)
        let keys = KeyringBox(
            try NamespaceKeyring(
                NamespaceKeys(
                    wrapKeys: [WrapKey(id: wrapKey, key: Base64([UInt8](repeating: 3, count: 32)))],
                    currentWrapKey: wrapKey, convergenceKey: Base64([UInt8](repeating: 4, count: 32)))))
        meter = TransferMeter(time: time)
        let namespace = NamespaceID(high: 5, low: 5)
        uploader = try ContentUploader(
            api: server, namespace: namespace, shared: shared, keys: keys, meter: meter, entropy: SystemEntropy())
        fetcher = try BlockFetcher(
            api: server, namespace: namespace, shared: shared, keys: keys, meter: meter, time: time,
            entropy: SystemEntropy(), threads: 3
        ) { [isAway] in isAway.isOn }
    }

    deinit {
        uploader.shutdown()
        fetcher.shutdown()
    }

    // MARK: Files

    func makeFile(_ name: String) throws -> InodeNumber {
        let now = time.now()
        return try shared.withStore { store in
            try store.create(NewNode(kind: .file, mode: 0o644), in: .root, Name(name)!, now: now).number
        }
    }

    func write(_ bytes: [UInt8], to number: InodeNumber, at offset: Int64 = 0) throws {
        var done = 0
        while done < bytes.count {
            let part = Array(bytes[done..<min(done + (1 << 20), bytes.count)])
            let position = offset + Int64(done)
            let range = try shared.withStore { store in
                try store.reserveStaging(number, offset: position, length: Int64(part.count))
            }
            try shared.segments.write(part, at: range.location)
            let now = time.now()
            try shared.withStore { store in
                _ = try store.recordWrite(number, offset: position, length: Int64(part.count), range: range, now: now)
            }
            done += part.count
        }
    }

    /// Uploads the file and takes the result as if it had been committed.
    func upload(_ number: InodeNumber, cancel: CancelToken = CancelToken()) throws -> ContentUpload {
        let snapshot = try #require(try shared.withStore { store in try store.beginUpload(number) })
        defer { shared.withStore { $0.endUpload(snapshot) } }
        let upload = try uploader.upload(snapshot, cancel: cancel)
        server.commit(upload.blocks)
        try shared.withStore { store in
            try store.putBlocks(
                upload.blocks.map {
                    AgreedBlock(
                        id: $0.id, wrap: $0.wrap.sealed.bytes, key: $0.wrap.key, plainBytes: $0.wrap.plainBytes,
                        storedBytes: $0.wrap.storedBytes, base: $0.wrap.base)
                })
            let content = SentNode.Content(
                change: snapshot.contentChange, snapshot: snapshot,
                stretches: upload.segments.map { ($0.index, $0.extents) })
            try store.settle(
                SentNode(id: snapshot.id, change: 0, attributes: nil, content: content), at: snapshot.contentBase.next)
        }
        return upload
    }

    func content(_ number: InodeNumber) throws -> [LocalExtent] {
        try shared.withStore { store in try store.content(number, 0..<(1 << 40)) }
    }

    func blocks(_ number: InodeNumber) throws -> [BlockNumber] {
        var seen: Set<BlockNumber> = []
        return try content(number).compactMap { extent in
            guard case .block(let block, _) = extent.source, seen.insert(block).inserted else { return nil }
            return block
        }
    }

    func number(_ id: BlockID) throws -> BlockNumber {
        try #require(try shared.withStore { store in try store.blockNumber(id) })
    }

    func id(_ block: BlockNumber) throws -> BlockID? {
        try shared.withStore { store in try store.block(block) }?.id
    }

    func dropCache(_ number: InodeNumber) throws {
        for block in try blocks(number) { try shared.withStore { store in try store.dropCache(block) } }
    }

    /// The file's bytes, all of which must be cached.
    func read(_ number: InodeNumber) throws -> [UInt8] {
        let extents = try content(number)
        var bytes = [UInt8](repeating: 0, count: Int(extents.last?.end ?? 0))
        for extent in extents {
            guard case .block(let block, let offset) = extent.source else { continue }
            let cached = try #require(shared.withStore { $0.cached(block) })
            let part = try shared.segments.read(count: Int(extent.length), at: cached.location.advanced(by: offset))
            bytes.replaceSubrange(Int(extent.offset)..<Int(extent.end), with: part)
        }
        return bytes
    }

    // MARK: Fetching

    func fetch(_ block: BlockNumber, timeout: Duration = .seconds(30)) -> FetchOutcome? {
        fetch(BlockPart(block), timeout: timeout)
    }

    func fetch(_ part: BlockPart, timeout: Duration = .seconds(30)) -> FetchOutcome? {
        let outcome = Monitor<FetchOutcome?>(nil)
        fetcher.fetch(part, priority: .demand) { result in outcome.update { $0 = FetchOutcome(result) } }
        return outcome.wait(timeout: timeout) { $0 }
    }

    func fetchAll(_ number: InodeNumber) throws -> [FetchOutcome?] {
        try blocks(number).map { fetch($0) }
    }
}

/// A switch that tests and the code under test share.
final class Switch: Sendable {
    private let state = Atomic(false)

    var isOn: Bool {
        get { state.load(ordering: .relaxed) }
        set { state.store(newValue, ordering: .relaxed) }
    }
}

/// What became of a fetch, to be compared.
enum FetchOutcome: Hashable {
    case fetched
    case failed(FetchFailure)

    init(_ result: Result<Void, FetchFailure>) {
        switch result {
        case .success: self = .fetched
        case .failure(let failure): self = .failed(failure)
        }
    }
}
