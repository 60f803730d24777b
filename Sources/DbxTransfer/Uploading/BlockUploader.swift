import CurlHTTP
import DbxClientAPI
import DbxContent
import DbxLocalStore
import DbxModel
import DbxSystem
import DbxWire
import Synchronization

/// Makes one block out of content and sees that the server gets it: seal, decode and compare, ask leave, send, and keep
/// the content in the cache so that the file stays readable without the network. A small block is not sent: it goes with
/// its commit.
///
/// Sendable. Works on the calling thread, which waits for the network; any number may call at once.
final class BlockUploader: Sendable {
    /// Sealing and opening keep buffers between blocks; one thread uses a bench at a time.
    private final class Bench: @unchecked Sendable {
        let sealer: BlockSealer
        let opener = BlockOpener()
        let generation: ConvergenceKey

        init(_ sealer: BlockSealer, _ generation: ConvergenceKey) {
            self.sealer = sealer
            self.generation = generation
        }
    }

    private let api: any DbxAPI
    private let broker: GrantBroker
    private let shared: SharedStore
    private let keys: KeyringBox
    private let meter: TransferMeter
    private let entropy: any Entropy
    private let benches = Mutex<[Bench]>([])
    /// Blocks that the local index knows and the server has denied to have.
    private let doubted = Mutex<Set<BlockID>>([])
    /// Blocks that a thread is sending: files with the same content go up at the same time when a tree is copied.
    private let sending = Monitor<Set<BlockID>>([])
    /// Ends pauses between tries.
    private let isStopped = Monitor(false)

    private static let tries = 4

    init(
        api: any DbxAPI, namespace: NamespaceID, shared: SharedStore, keys: KeyringBox, meter: TransferMeter,
        entropy: any Entropy
    ) {
        self.api = api
        broker = GrantBroker(api: api, namespace: namespace)
        self.shared = shared
        self.keys = keys
        self.meter = meter
        self.entropy = entropy
    }

    func stop() { isStopped.update { $0 = true } }

    /// The server says that it does not have these: they are sent again when they come up.
    func doubt(_ blocks: [BlockID]) { doubted.withLock { $0.formUnion(blocks) } }

    func upload(_ plain: [UInt8], cancel: CancelToken) throws(UploadFailure) -> CommittedBlock {
        let sealed = try seal(plain)
        claim(sealed.id)
        defer { sending.update { _ = $0.remove(sealed.id) } }
        if let known = try known(sealed.id) { return known }
        let isInline = sealed.stored.count <= ContentLimits.maximumInlineBytes
        if isInline { meter.countUploaded(bytes: sealed.stored.count) } else { try send(sealed, cancel: cancel) }
        let wrap: BlockWrap
        do throws(KeyringError) {
            wrap = try keys.keyring.wrap(sealed.access, entropy: entropy)
        } catch {
            throw .keys(error)
        }
        try keep(sealed.id, wrap, plain, isAgreed: !isInline)
        return CommittedBlock(id: sealed.id, wrap: wrap, body: isInline ? Base64(sealed.stored) : nil)
    }

    /// Waits while another thread sends the same block: afterwards it is known, or it is our turn.
    private func claim(_ id: BlockID) {
        _ = sending.wait { $0.insert(id).inserted ? true : nil }
    }

    // MARK: Making

    private func seal(_ plain: [UInt8]) throws(UploadFailure) -> SealedBlock {
        let bench = try takeBench()
        defer { benches.withLock { $0.append(bench) } }
        do throws(BlockError) {
            let block = try bench.sealer.seal(plain.span)
            try bench.opener.verify(block, holds: plain.span)
            return block
        } catch {
            throw .block(error)
        }
    }

    private func takeBench() throws(UploadFailure) -> Bench {
        let keyring = keys.keyring
        guard let key = keyring.convergenceKey else { throw .keys(.readOnly) }
        let idle = benches.withLock { benches in
            benches.removeAll { $0.generation != key }
            return benches.popLast()
        }
        if let idle { return idle }
        do throws(KeyringError) {
            return Bench(try keyring.makeSealer(), key)
        } catch {
            throw .keys(error)
        }
    }

    // MARK: Knowing

    /// The block as this client knows it already: committed in the namespace, or uploaded before.
    private func known(_ id: BlockID) throws(UploadFailure) -> CommittedBlock? {
        guard !doubted.withLock({ $0.contains(id) }) else { return nil }
        return try local { store throws(StoreError) in
            guard let number = try store.agreedBlockNumber(id), let block = try store.block(number) else { return nil }
            return CommittedBlock(id: id, wrap: block.wireWrap)
        }
    }

    /// The block is the server's now, or will be with its commit: it is entered into the index and the cache. A cache without room is no failure.
    private func keep(_ id: BlockID, _ wrap: BlockWrap, _ plain: [UInt8], isAgreed: Bool) throws(UploadFailure) {
        doubted.withLock { _ = $0.remove(id) }
        let number = try local { store throws(StoreError) in
            try store.putBlocks([AgreedBlock(id, wrap)], areAgreed: isAgreed)
            return try store.blockNumber(id)
        }
        guard let number else { throw .local(.corrupt("a block that was just entered is unknown")) }
        do throws(StoreError) {
            let writer = try CacheWriter(shared, bytes: plain.count)
            writer.append(plain.span)
            try writer.commit(number)
        } catch {
            if error != .noSpace { throw .local(error) }
        }
    }

    private func local<Value>(_ body: (LocalStore) throws(StoreError) -> Value) throws(UploadFailure) -> Value {
        do throws(StoreError) {
            return try shared.withStore(body)
        } catch {
            throw .local(error)
        }
    }

    // MARK: Sending

    /// A few tries, each with new leave, as the old one may have expired or been used up.
    private func send(_ block: SealedBlock, cancel: CancelToken) throws(UploadFailure) {
        var retry = RetryPolicy()
        while true {
            do throws(APIError) {
                let offer = OfferedBlock(id: block.id, storedBytes: Int64(block.stored.count))
                guard let upload = try broker.grant(offer, cancel: cancel).upload else { return }
                try api.putUpload(upload, bytes: block.stored, cancel: cancel)
                return meter.countUploaded(bytes: block.stored.count)
            } catch {
                if error.meaning == .cancelled || cancel.isCancelled { throw .cancelled }
                let delay = retry.delayAfterFailure(retryAfter: error.retryAfter, random: entropy.next())
                guard error.isRetryable, retry.failures < Self.tries else { throw .api(error) }
                pause(delay)
            }
        }
    }

    private func pause(_ delay: Duration) {
        _ = isStopped.wait(timeout: delay) { $0 ? true : nil }
    }
}
