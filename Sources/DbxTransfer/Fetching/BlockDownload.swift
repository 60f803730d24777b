import CurlHTTP
import DbxClientAPI
import DbxContent
import DbxLocalStore
import DbxModel
import DbxWire

/// One try to bring a block, a part of one, or many small ones, into the cache.
struct BlockDownload: Sendable {
    enum Outcome: Sendable {
        case stored
        /// Ended by its token.
        case stopped
        case mayWorkLater(retryAfter: Duration?, FetchFailure)
        case failed(FetchFailure)
        /// It could not be had together with others.
        case mayWorkAlone
    }

    /// What one request goes with.
    struct Attempt {
        let opener: BlockOpener
        let cancel: CancelToken
        /// Whether somebody waits for it.
        let isAwaited: Bool
    }

    let api: any DbxAPI
    let namespace: NamespaceID
    let shared: SharedStore
    let keys: KeyringBox
    let meter: TransferMeter

    func isCached(_ part: BlockPart) -> Bool { missing(of: part) == nil }

    private func missing(of part: BlockPart) -> BlockPart? { shared.withStore { $0.missing(of: part) } }

    /// How a part is had, and what it adds to a request of many, or nil where it is to be fetched alone: a small block comes
    /// whole with others, a large raw one in frames where no more is wanted, any other whole.
    func way(to part: BlockPart) -> (part: BlockPart, bytesAmongMany: Int64?) {
        let whole = BlockPart(part.block)
        let lengths = try? shared.withStore { store throws(StoreError) in try store.lengthsOfPlainBlock(part.block) }
        guard let lengths else { return (whole, nil) }
        if lengths.stored <= FetchBatch.smallBlockBytes { return (whole, lengths.stored) }
        guard let frames = part.frames,
            let layout = try? BlockLayout(plainBytes: lengths.plain, storedBytes: lengths.stored), layout.isRaw,
            !frames.isEmpty, frames.lowerBound >= 0, frames.upperBound <= layout.frameCount
        else { return (whole, nil) }
        return (part, nil)
    }

    /// `part` is as `way` says.
    func fetch(_ part: BlockPart, _ attempt: Attempt) -> Outcome {
        guard let missing = missing(of: part) else { return .stored }
        do throws(FetchFailure) {
            let access = try access(to: part.block)
            guard let frames = missing.frames else {
                return try fetchWhole(part.block, access, attempt)
            }
            return try fetch(frames, of: part.block, access, attempt)
        } catch {
            return .failed(error)
        }
    }

    private func fetchWhole(
        _ number: BlockNumber, _ access: BlockAccess, _ attempt: Attempt
    ) throws(FetchFailure) -> Outcome {
        var base: BlockBase?
        if let id = access.base {
            let outcome = try fetchBase(id, &base, attempt)
            guard case .stored = outcome else { return outcome }
        }
        let stored: [UInt8]
        do throws(APIError) {
            stored = try api.block(
                access.id, in: namespace, storedBytes: Int64(access.layout.storedBytes), cancel: attempt.cancel)
        } catch {
            return Self.outcome(of: error)
        }
        meter.countFetched(bytes: stored.count)
        return try enter(stored, access, base, as: number, attempt)
    }

    /// Frames of a raw block, each of which is verified by itself.
    private func fetch(
        _ frames: Range<Int>, of number: BlockNumber, _ access: BlockAccess, _ attempt: Attempt
    ) throws(FetchFailure) -> Outcome {
        let stored: [UInt8]
        do throws(APIError) {
            stored = try api.blockRange(
                access.layout.storedRange(of: frames), of: access.id, in: namespace,
                storedBytes: Int64(access.layout.storedBytes), cancel: attempt.cancel)
        } catch {
            return Self.outcome(of: error)
        }
        meter.countFetched(bytes: stored.count)
        guard let content = try? attempt.opener.open(frames: frames, stored: stored, access) else {
            // Damaged on the way or in the store: another try may bring them whole.
            return .mayWorkLater(retryAfter: nil, .missing)
        }
        do throws(StoreError) {
            let writer = try CacheWriter(shared, bytes: content.count, isAwaited: attempt.isAwaited)
            writer.append(content.span)
            try writer.commit(frames: frames, of: number)
            return .stored
        } catch {
            throw .local(error)
        }
    }

    /// Brings many small blocks with one request. `settle` is told once of each, of most as soon as it is here.
    func fetch(
        _ numbers: [BlockNumber], _ attempt: Attempt, settle: ([BlockNumber], Outcome) -> Void
    ) {
        var wanted: [(number: BlockNumber, access: BlockAccess)] = []
        for number in numbers {
            if isCached(BlockPart(number)) {
                settle([number], .stored)
                continue
            }
            do throws(FetchFailure) {
                wanted.append((number, try access(to: number)))
            } catch {
                settle([number], .failed(error))
            }
        }
        guard !wanted.isEmpty else { return }
        var received = 0
        do throws(APIError) {
            let blocks = wanted.map { WantedBlock(id: $0.access.id, storedBytes: Int64($0.access.layout.storedBytes)) }
            try api.blocks(blocks, in: namespace, cancel: attempt.cancel) { index, stored in
                received = index + 1
                let (number, access) = wanted[index]
                settle([number], stored.map { enter($0, access, as: number, attempt) } ?? .mayWorkAlone)
            }
        } catch {
            // Refused as a whole: one of them may be the cause, and asked for alone each is told its own.
            let isRefused = error.meaning == .refused
            settle(wanted[received...].map(\.number), isRefused ? .mayWorkAlone : Self.outcome(of: error))
        }
    }

    /// One of many.
    private func enter(
        _ stored: [UInt8], _ access: BlockAccess, as number: BlockNumber, _ attempt: Attempt
    ) -> Outcome {
        meter.countFetched(bytes: stored.count)
        do throws(FetchFailure) {
            let outcome = try enter(stored, access, nil, as: number, attempt)
            if case .mayWorkLater = outcome { return .mayWorkAlone }
            return outcome
        } catch {
            return .failed(error)
        }
    }

    /// Brings the base into the cache, where it stays for the blocks beside this one, and gives its content.
    private func fetchBase(
        _ id: BlockID, _ base: inout BlockBase?, _ attempt: Attempt
    ) throws(FetchFailure) -> Outcome {
        do throws(StoreError) {
            guard let number = try shared.withStore({ store throws(StoreError) in try store.blockNumber(id) }) else {
                throw .corrupt("the base of a block is unknown")
            }
            base = try CacheReader(shared: shared).read(number)
            if base != nil { return .stored }
            let outcome = fetch(BlockPart(number), attempt)
            guard case .stored = outcome else { return outcome }
            base = try CacheReader(shared: shared).read(number)
            // Given up again at once, for something else: another try.
            return base == nil ? .mayWorkLater(retryAfter: nil, .missing) : .stored
        } catch {
            throw .local(error)
        }
    }

    private func access(to number: BlockNumber) throws(FetchFailure) -> BlockAccess {
        let block: AgreedBlock?
        do throws(StoreError) {
            block = try shared.withStore { store throws(StoreError) in try store.block(number) }
        } catch {
            throw .local(error)
        }
        guard let block else { throw .local(.notFound) }
        do throws(KeyringError) {
            return try keys.keyring.open(block.wireWrap, of: block.id)
        } catch {
            throw .refused("the keys of this account do not open block \(block.id) (\(error))")
        }
    }

    private func enter(
        _ stored: [UInt8], _ access: BlockAccess, _ base: BlockBase?, as number: BlockNumber, _ attempt: Attempt
    ) throws(FetchFailure) -> Outcome {
        do throws(StoreError) {
            let writer = try CacheWriter(shared, bytes: access.layout.plainBytes, isAwaited: attempt.isAwaited)
            do throws(BlockError) {
                try attempt.opener.open(stored, access, base: base) { writer.append($0) }
            } catch {
                // Damaged on the way or in the store: another try may bring it whole.
                return .mayWorkLater(retryAfter: nil, .missing)
            }
            try writer.commit(number)
            return .stored
        } catch {
            throw .local(error)
        }
    }

    private static func outcome(of error: APIError) -> Outcome {
        switch error.meaning {
        case .cancelled: .stopped
        case .away, .busy: .mayWorkLater(retryAfter: error.retryAfter, .timedOut)
        case .loggedOut: .failed(.refused(error.description))
        case .refused: .failed(error.problem?.kind == .notFound ? .missing : .refused(error.description))
        }
    }
}
