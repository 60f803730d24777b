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
    /// How many more blocks may be made at once: as many threads as wait for the network would only be in each other's way.
    private let seats = Monitor(makers)
    /// Blocks that the local index knows and the server has denied to have.
    private let doubted = Mutex<Set<BlockID>>([])
    /// Blocks that a thread is sending: files with the same content go up at the same time when a tree is copied.
    private let sending = Monitor<Set<BlockID>>([])
    /// Ends pauses between tries.
    private let isStopped = Monitor(false)

    private static let tries = 4
    private static let makers = 4

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

    func upload(
        _ block: BlockSource.Block, _ bases: BlockBases, cancel: CancelToken
    ) throws(UploadFailure) -> CommittedBlock {
        let plain = block.bytes
        let full = try seal(plain)
        if let known = try known(full.id) { return known }
        let sealed = try smaller(than: full, plain, bases, for: block.planned) ?? full
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
        try atBench { bench throws(BlockError) in
            let block = try bench.sealer.seal(plain.span)
            try bench.opener.verify(block, holds: plain.span)
            return block
        }
    }

    private func atBench<Value>(_ work: (Bench) throws(BlockError) -> Value) throws(UploadFailure) -> Value {
        _ = seats.wait { seats -> Bool? in
            guard seats > 0 else { return nil }
            seats -= 1
            return true
        }
        defer { seats.update { $0 += 1 } }
        let bench = try takeBench()
        defer { benches.withLock { $0.append(bench) } }
        do throws(BlockError) {
            return try work(bench)
        } catch {
            throw .block(error)
        }
    }

    // MARK: Bases

    /// Less is not worth a second block that a reader may have to fetch.
    private static let fewestStoredBytes = 512

    /// The block as what differs from one that it replaces, where that is here and saves enough: a quarter, or, where the
    /// replaced one is encoded against an older one itself, three quarters. So blocks never hang on each other in rows,
    /// and one that has drifted far from its base becomes a whole one again.
    private func smaller(
        than full: SealedBlock, _ plain: [UInt8], _ bases: BlockBases, for planned: PlannedBlock
    ) throws(UploadFailure) -> SealedBlock? {
        guard full.stored.count >= Self.fewestStoredBytes else { return nil }
        let candidates = bases.candidates(for: planned)
        var best: SealedBlock?
        for candidate in candidates {
            guard let (base, isOlder) = try base(for: candidate) else { continue }
            let limit = best?.stored.count ?? full.stored.count / 4 * (isOlder ? 1 : 3)
            let sealed = try atBench { bench throws(BlockError) in
                let block = try bench.sealer.seal(plain.span, against: base, limitBytes: limit)
                if let block { try bench.opener.verify(block, base: base, holds: plain.span) }
                return block
            }
            if let sealed { best = sealed }
        }
        if !candidates.isEmpty { bases.note(success: best != nil) }
        return best
    }

    /// The block that a replaced one is or is encoded against, and whether it is that older one. Nil where the server may
    /// not have it, or it is not in the cache.
    private func base(for replaced: BlockID) throws(UploadFailure) -> (BlockBase, isOlder: Bool)? {
        try local { store throws(StoreError) -> (BlockNumber, Bool)? in
            guard let number = try store.agreedBlockNumber(replaced) else { return nil }
            let older = try store.block(number)?.base
            if isDoubted(older ?? replaced) { return nil }
            guard let older else { return (number, false) }
            return try store.agreedBlockNumber(older).map { ($0, true) }
        }.flatMap { number, isOlder throws(UploadFailure) in
            do throws(StoreError) {
                return try CacheReader(shared: shared).read(number).map { ($0, isOlder) }
            } catch {
                throw .local(error)
            }
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

    private func isDoubted(_ id: BlockID) -> Bool { doubted.withLock { $0.contains(id) } }

    /// The block as this client knows it already: committed in the namespace, or uploaded before.
    private func known(_ id: BlockID) throws(UploadFailure) -> CommittedBlock? {
        if isDoubted(id) { return nil }
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
            var hasLeave = false
            do throws(APIError) {
                let offer = OfferedBlock(id: block.id, storedBytes: Int64(block.stored.count))
                guard let upload = try broker.grant(offer, cancel: cancel).upload else { return }
                hasLeave = true
                try send(block.stored, by: upload, cancel: cancel)
                return meter.countUploaded(bytes: block.stored.count)
            } catch {
                if error.meaning == .cancelled || cancel.isCancelled { throw .cancelled }
                let delay = retry.delayAfterFailure(retryAfter: error.retryAfter, random: entropy.next())
                // A leave that has ended says nothing of the next one: somebody else may have committed the block.
                let mayGoOn = error.isRetryable || hasLeave && error.meaning == .refused
                guard mayGoOn, retry.failures < Self.tries else { throw .api(error) }
                pause(delay)
            }
        }
    }

    private func send(_ stored: [UInt8], by upload: SignedUpload, cancel: CancelToken) throws(APIError) {
        if stored.count <= ContentLimits.maximumPackedBytes, try isPacked(stored, cancel: cancel) { return }
        try api.putUpload(upload, bytes: stored, cancel: cancel)
    }

    /// What is refused together may be taken alone.
    private func isPacked(_ stored: [UInt8], cancel: CancelToken) throws(APIError) -> Bool {
        do throws(APIError) {
            return try broker.pack(stored, cancel: cancel)
        } catch {
            guard error.meaning == .refused else { throw error }
            return false
        }
    }

    private func pause(_ delay: Duration) {
        _ = isStopped.wait(timeout: delay) { $0 ? true : nil }
    }
}
