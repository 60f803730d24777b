import CurlHTTP
import DbxClientAPI
import DbxContent
import DbxModel
import DbxSystem
import DbxWire
import Foundation
import Synchronization

/// A server in memory that keeps blocks and fails as it is told. Guarded by its mutex; faults run outside it.
final class FakeServer: DbxAPI {
    struct Counts {
        var offers: [[BlockID]] = []
        /// Alone or in a pack.
        var puts: [BlockID: Int] = [:]
        /// How many blocks came in each.
        var packs: [Int] = []
        var gets: [BlockID: Int] = [:]
        /// Asked for as parts of blocks.
        var rangeBytes = 0
        /// What was asked for together.
        var batches: [[BlockID]] = []
        /// PUTs under way at once, and the most there were.
        var running = 0
        var mostRunning = 0
    }

    /// What happens to a request, by how often it was made before for that block.
    struct Faults: Sendable {
        var grant: @Sendable (Int) -> APIError? = { _ in nil }
        /// The bytes are kept before the error is thrown: only the answer is lost.
        var put: @Sendable (BlockID, Int) -> APIError? = { _, _ in nil }
        var pack: @Sendable () -> APIError? = { nil }
        /// Whether a block that came in a pack has to come alone.
        var deniesPacked: @Sendable (BlockID) -> Bool = { _ in false }
        var get: @Sendable (BlockID, Int) -> APIError? = { _, _ in nil }
        /// The answer to many breaks off before the block of this place.
        var batch: @Sendable (Int) -> (after: Int, error: APIError)? = { _ in nil }
        var damage: @Sendable (BlockID, Int) -> Bool = { _, _ in false }
        /// How many bytes are granted altogether.
        var quota = Int64.max
        /// Milliseconds that each PUT and GET takes.
        var delay: UInt32 = 0
    }

    private struct State {
        var blocks: [BlockID: [UInt8]] = [:]
        var counts = Counts()
        var grantedBytes: Int64 = 0
    }

    private let state = Mutex(State())
    private let faults: Mutex<Faults>
    private let holdsAnswers = Monitor(false)

    init(_ faults: Faults = Faults()) { self.faults = Mutex(faults) }

    var counts: Counts { state.withLock { $0.counts } }
    var blocks: [BlockID: [UInt8]] { state.withLock { $0.blocks } }
    func setFaults(_ new: Faults) { faults.withLock { $0 = new } }

    /// No block that is asked for meanwhile is answered before the end of it.
    func holdingAnswers(_ body: () -> Void) {
        holdsAnswers.update { $0 = true }
        body()
        holdsAnswers.update { $0 = false }
    }

    func resetCounts() { state.withLock { $0.counts = Counts() } }

    static func lost() -> APIError { APIError(.transport(TransportError(.unreachable, "lost"))) }

    func requestUploads(
        in namespace: NamespaceID, _ blocks: [OfferedBlock], cancel: CancelToken?
    ) throws(APIError) -> [UploadGrant] {
        let count = state.withLock { state in
            state.counts.offers.append(blocks.map(\.id))
            return state.counts.offers.count - 1
        }
        let faults = faults.withLock { $0 }
        if let error = faults.grant(count) { throw error }
        guard Set(blocks.map(\.id)).count == blocks.count else {
            throw APIError(.problem(Problem(kind: .badRequest, detail: "A block is offered twice.")))
        }
        let hasRoom = state.withLock { state in
            let bytes = state.grantedBytes + blocks.reduce(0) { $0 + $1.storedBytes }
            if bytes <= faults.quota { state.grantedBytes = bytes }
            return bytes <= faults.quota
        }
        guard hasRoom else { throw APIError(.problem(Problem(kind: .quotaExceeded, detail: "full"))) }
        return state.withLock { state in
            blocks.map { block in
                UploadGrant(id: block.id, upload: state.blocks[block.id] == nil ? Self.leave(block.id) : nil)
            }
        }
    }

    /// As good as its blocks one after the other.
    func storePack(
        in namespace: NamespaceID, _ blocks: [[UInt8]], cancel: CancelToken?
    ) throws(APIError) -> [Bool] {
        state.withLock { $0.counts.packs.append(blocks.count) }
        if let error = faults.withLock({ $0 }).pack() { throw error }
        var answers: [Bool] = []
        for stored in blocks {
            let id = BlockID(ofStored: stored)
            let isTaken = !faults.withLock { $0 }.deniesPacked(id)
            if isTaken { try putUpload(Self.leave(id), bytes: stored, cancel: cancel) }
            answers.append(isTaken)
        }
        return answers
    }

    private static func leave(_ id: BlockID) -> SignedUpload {
        SignedUpload(url: "/v1/uploads/\(id.hex)", headers: [:], expiresAt: Timestamp(nanoseconds: .max))
    }

    func putUpload(_ upload: SignedUpload, bytes: [UInt8], cancel: CancelToken?) throws(APIError) {
        let id = BlockID(hex: String(upload.url.split(separator: "/").last!))!
        let faults = faults.withLock { $0 }
        let count = state.withLock { state in
            state.counts.running += 1
            state.counts.mostRunning = max(state.counts.mostRunning, state.counts.running)
            state.counts.puts[id, default: 0] += 1
            return state.counts.puts[id]! - 1
        }
        usleep(faults.delay * 1_000)
        state.withLock { state in
            state.blocks[id] = bytes
            state.counts.running -= 1
        }
        if let error = faults.put(id, count) { throw error }
    }

    /// Takes the blocks that travel in a commit.
    func commit(_ blocks: [CommittedBlock]) {
        state.withLock { state in
            for block in blocks { if let body = block.body { state.blocks[block.id] = body.bytes } }
        }
    }

    func block(
        _ block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8] {
        let faults = faults.withLock { $0 }
        let (count, bytes) = state.withLock { state in
            state.counts.gets[block, default: 0] += 1
            return (state.counts.gets[block]! - 1, state.blocks[block])
        }
        awaitAnswers()
        for _ in 0..<faults.delay {
            usleep(1_000)
            if cancel?.isCancelled == true { throw APIError(.transport(TransportError(.cancelled, ""))) }
        }
        if let error = faults.get(block, count) { throw error }
        guard var bytes else { throw APIError(.problem(Problem(kind: .notFound, detail: ""))) }
        if faults.damage(block, count) { bytes[bytes.count / 2] ^= 1 }
        return bytes
    }

    /// Counts as a GET, and its bytes among `rangeBytes`.
    func blockRange(
        _ range: Range<Int>, of block: BlockID, in namespace: NamespaceID, storedBytes: Int64, cancel: CancelToken?
    ) throws(APIError) -> [UInt8] {
        state.withLock { $0.counts.rangeBytes += range.count }
        let bytes = try self.block(block, in: namespace, storedBytes: storedBytes, cancel: cancel)
        return Array(bytes[range])
    }

    func blocks(
        _ blocks: [WantedBlock], in namespace: NamespaceID, cancel: CancelToken?,
        receive: (Int, [UInt8]?) -> Void
    ) throws(APIError) {
        let number = state.withLock { state in
            state.counts.batches.append(blocks.map(\.id))
            return state.counts.batches.count - 1
        }
        awaitAnswers()
        let broken = faults.withLock { $0 }.batch(number)
        for (index, wanted) in blocks.enumerated() {
            if let broken, broken.after == index { throw broken.error }
            let bytes: [UInt8]?
            do throws(APIError) {
                bytes = try block(wanted.id, in: namespace, storedBytes: wanted.storedBytes, cancel: cancel)
            } catch {
                if error.meaning == .cancelled { throw error }
                bytes = nil
            }
            receive(index, bytes)
        }
    }

    private func awaitAnswers() { _ = holdsAnswers.wait(timeout: .seconds(30)) { $0 ? nil : () } }

    // MARK: Not used here

    private var unused: APIError { APIError(.garbage("not part of this fake")) }

    func health(cancel: CancelToken?) throws(APIError) {}
    func login(_ request: LoginRequest) throws(APIError) -> LoginResponse { throw unused }
    func logout() throws(APIError) { throw unused }
    func devices() throws(APIError) -> [DeviceRow] { throw unused }
    func revoke(_ device: DeviceID) throws(APIError) { throw unused }
    func session(cancel: CancelToken?) throws(APIError) -> SessionResponse { throw unused }
    func changes(
        in namespace: NamespaceID, after cursor: String?, limit: Int, cancel: CancelToken?
    ) throws(APIError) -> ReceivedPage { throw unused }
    func commit(in namespace: NamespaceID, body: [UInt8], cancel: CancelToken?) throws(APIError) -> CommitResult {
        throw unused
    }
    func listing(
        in namespace: NamespaceID, of directory: NodeID, _ request: ListingRequest, cancel: CancelToken?
    ) throws(APIError) -> ListingPage { throw unused }
    func nodes(
        _ ids: [NodeID], in namespace: NamespaceID, cursor: String?, cancel: CancelToken?
    ) throws(APIError) -> NodesPage { throw unused }
    func events(cancel: CancelToken?, receive: (StreamedEvent) -> Bool) throws(APIError) { throw unused }
    func poll(
        after: [NamespaceID: Seq], timeoutSeconds: Int, cancel: CancelToken?
    ) throws(APIError) -> PollResponse { throw unused }
}
