import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Synchronization

/// The network: holds blocks byte for byte and puts them into the cache when asked, at once or when told to.
final class FakeBlocks: BlockFetching {
    private struct Waiting {
        var part: BlockPart
        var completion: @Sendable (Result<Void, FetchFailure>) -> Void
    }

    private struct State {
        var contents: [BlockNumber: [UInt8]] = [:]
        var demanded: [BlockPart] = []
        var readAhead: [BlockNumber] = []
        var failure: FetchFailure?
        var isHolding = false
        var waiting: [UInt64: Waiting] = [:]
        var lastToken: UInt64 = 0
        var cancelled = 0
    }

    private let state = Mutex(State())
    private let store: Mutex<SharedStore>

    init(_ shared: SharedStore) { store = Mutex(shared) }

    /// Blocks go into the cache of this store from now on.
    func use(_ shared: SharedStore) { store.withLock { $0 = shared } }

    func add(_ block: BlockNumber, _ bytes: [UInt8]) { state.withLock { $0.contents[block] = bytes } }

    /// Every fetch from now on fails so.
    func fail(with failure: FetchFailure?) { state.withLock { $0.failure = failure } }

    /// Fetches wait until `letGo`.
    func hold() { state.withLock { $0.isHolding = true } }

    func letGo() {
        let waiting = state.withLock { state in
            state.isHolding = false
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for fetch in waiting { fetch.completion(bring(fetch.part)) }
    }

    var demandedParts: [BlockPart] { state.withLock { $0.demanded } }
    var demanded: [BlockNumber] { demandedParts.map(\.block) }
    var readAhead: [BlockNumber] { state.withLock { $0.readAhead } }
    var cancelled: Int { state.withLock { $0.cancelled } }
    var waiting: Int { state.withLock { $0.waiting.count } }

    func fetch(
        _ part: BlockPart, priority: FetchPriority,
        completion: @escaping @Sendable (Result<Void, FetchFailure>) -> Void
    ) -> FetchToken {
        let (token, isHeld) = state.withLock { state in
            state.lastToken += 1
            if priority == .demand { state.demanded.append(part) } else { state.readAhead.append(part.block) }
            if state.isHolding { state.waiting[state.lastToken] = Waiting(part: part, completion: completion) }
            return (FetchToken(state.lastToken), state.isHolding)
        }
        if !isHeld { completion(bring(part)) }
        return token
    }

    func cancel(_ token: FetchToken) {
        let fetch = state.withLock { state in
            let fetch = state.waiting.removeValue(forKey: token.value)
            if fetch != nil { state.cancelled += 1 }
            return fetch
        }
        fetch?.completion(.failure(.cancelled))
    }

    private func bring(_ part: BlockPart) -> Result<Void, FetchFailure> {
        let (failure, content) = state.withLock { ($0.failure, $0.contents[part.block]) }
        if let failure { return .failure(failure) }
        guard let content else { return .failure(.missing) }
        let shared = store.withLock { $0 }
        do throws(StoreError) {
            try shared.withStore { (store) throws(StoreError) in
                guard let missing = store.missing(of: part) else { return }
                let range = missing.frames.map { frames in
                    CachedBlock.range(ofFrame: frames.lowerBound, bytes: Int64(content.count))
                        .lowerBound..<CachedBlock.range(ofFrame: frames.upperBound, bytes: Int64(content.count))
                        .lowerBound
                }
                let bytes = range.map { Array(content[Int($0.lowerBound)..<Int($0.upperBound)]) } ?? content
                let location = try store.reserveCache(bytes: Int64(bytes.count))
                do throws(Errno) {
                    try shared.segments.write(bytes, at: location)
                } catch {
                    throw StoreError.io(error)
                }
                let sums = bytes.withUnsafeBytes { CRC32C.checksums($0, frameBytes: CachedBlock.frameBytes) }
                if let frames = missing.frames {
                    try store.commitCache(
                        frames: frames, of: part.block, at: location, bytes: Int64(bytes.count), checksums: sums)
                } else {
                    try store.commitCache(part.block, at: location, bytes: Int64(bytes.count), checksums: sums)
                }
            }
            return .success(())
        } catch {
            return .failure(.local(error))
        }
    }
}

/// Takes the answer of a read and lets a test wait for it.
final class Receiver: ReadReceiver {
    private let outcome = Monitor<Result<[UInt8], Errno>?>(nil)

    func receive(_ bytes: RawSpan) {
        let copy = bytes.withUnsafeBytes { [UInt8]($0) }
        outcome.update { $0 = .success(copy) }
    }

    func fail(_ error: Errno) { outcome.update { $0 = .failure(error) } }

    var isAnswered: Bool { outcome.withLock { $0 != nil } }

    func wait() throws -> [UInt8] {
        struct NoAnswer: Error {}
        guard let result = outcome.wait(timeout: .seconds(20), until: { $0 }) else { throw NoAnswer() }
        return try result.get()
    }
}

final class RecordingEvents: FileSystemEvents {
    struct Seen {
        var changes = 0
        var closed: [InodeNumber] = []
        var synchronized: [InodeNumber] = []
        var isFull = 0
        var isFilling = 0
        var damaged: [InodeNumber] = []
        var fetched: [InodeNumber: Int64] = [:]
    }

    private let state = Mutex(Seen())
    var seen: Seen { state.withLock { $0 } }

    func localChange() { state.withLock { $0.changes += 1 } }
    func lastWriterClosed(_ number: InodeNumber) { state.withLock { $0.closed.append(number) } }
    func synchronized(_ number: InodeNumber) { state.withLock { $0.synchronized.append(number) } }
    func foundDamage(in number: InodeNumber) { state.withLock { $0.damaged.append(number) } }
    func fetched(_ bytes: Int64, of number: InodeNumber) { state.withLock { $0.fetched[number, default: 0] += bytes } }
    func stagingIsFilling() { state.withLock { $0.isFilling += 1 } }
    func stagingIsFull() { state.withLock { $0.isFull += 1 } }
}

final class RecordingNotifier: KernelNotifier {
    enum Notice: Hashable {
        case entry(InodeNumber, String)
        case content(InodeNumber)
        case attributes(InodeNumber)
    }

    private let state = Mutex<[Notice]>([])

    /// What was sent since the last call.
    func take() -> Set<Notice> {
        state.withLock { notices in
            defer { notices = [] }
            return Set(notices)
        }
    }

    func invalidateEntry(_ name: Name, in directory: InodeNumber) {
        state.withLock { $0.append(.entry(directory, name.display)) }
    }
    func invalidateContent(of number: InodeNumber) { state.withLock { $0.append(.content(number)) } }
    func invalidateAttributesAtOnce(of number: InodeNumber) { invalidateAttributes(of: number) }
    func invalidateAttributes(of number: InodeNumber) { state.withLock { $0.append(.attributes(number)) } }
}
