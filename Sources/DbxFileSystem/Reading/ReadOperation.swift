import DbxLocalStore
import DbxModel
import DbxSystem
import Synchronization

/// One read on its way through fetching, checking and the disk, until its receiver has an answer.
///
/// Goes in rounds: plan; fetch what is missing, then plan again on the thread that brought the last of it, and reply from
/// there if the page cache still has it; else read on an input thread, and plan again should the places have been reused
/// meanwhile. Guarded by its own mutex, held for moves only.
final class ReadOperation: Expiring {
    private struct State {
        /// Nil once answered.
        var receiver: (any ReadReceiver)?
        /// Requests of this round, all of them to be cancelled when the read ends early.
        var tokens: [FetchToken] = []
        var outstanding = 0
        /// Answers to requests of earlier rounds count for nothing.
        var round = 0
        var timesRoomWasMade = 0
        /// Counted among the reads that wait for the network.
        var isWaiting = false
        /// Whether what is missing is fetched by whole blocks.
        var wantsBlocks = true
    }

    private let fileSystem: FileSystem
    private let open: Handle
    private let offset: Int64
    private let count: Int
    private let thread: Int32
    private let deadline: Duration
    private let state: Mutex<State>

    init(
        _ fileSystem: FileSystem, _ open: Handle, offset: Int64, count: Int, thread: Int32, receiver: any ReadReceiver
    ) {
        self.fileSystem = fileSystem
        self.open = open
        self.offset = offset
        self.count = count
        self.thread = thread
        deadline = fileSystem.time.monotonic() + fileSystem.limits.longestRead
        state = Mutex(State(receiver: receiver))
    }

    /// The first round. Waits for nothing.
    func begin() {
        guard let plan = plan() else { return }
        let range = offset..<offset + Int64(plan.count)
        let wantsBlocks = open.readahead.withLock { $0.wantsBlocks(for: range, size: plan.size) }
        state.withLock { $0.wantsBlocks = wantsBlocks }
        if plan.missing.isEmpty {
            submit(plan)
        } else {
            guard beginWaiting() else { return }
            open.fetchedBytes.add(plan.missingBytes, ordering: .relaxed)
            fetch(plan)
        }
        fileSystem.readAhead(open, range, size: plan.size)
        fileSystem.readNeighbours(open, size: plan.size, isMissing: !plan.missing.isEmpty)
    }

    /// Another round. Waits for nothing.
    private func advance() {
        guard let plan = plan() else { return }
        if !plan.missing.isEmpty {
            // What was here when the read began may be gone or damaged.
            if beginWaiting() { fetch(plan) }
            return
        }
        if !plan.isLocal || !replyAtOnce(plan) { submit(plan) }
    }

    /// Nil when the read is over.
    private func plan() -> ReadPlan? {
        guard state.withLock({ $0.receiver != nil }) else { return nil }
        do throws(Errno) {
            guard fileSystem.time.monotonic() < deadline else { throw .timedOut }
            return try fileSystem.plan(open.number, offset, count)
        } catch {
            fail(error)
            return nil
        }
    }

    private func submit(_ plan: ReadPlan) {
        let isAccepted = fileSystem.inputThreads.trySubmit { self.readFromDisk(plan) }
        if !isAccepted { fail(.outOfMemory) }
    }

    func cancel() { fail(.interrupted) }

    /// The deadline has passed.
    func expire() { fail(.timedOut) }

    // MARK: Fetching

    /// From now on the read waits for the network. False where it is not to, or is over.
    private func beginWaiting() -> Bool {
        if state.withLock({ $0.isWaiting }) { return true }
        if fileSystem.limits.idleReaders.contains(thread: thread) {
            fail(.noData)
            return false
        }
        fileSystem.waitingReads.begin(open.number)
        let isOver = state.withLock { state in
            state.isWaiting = state.receiver != nil
            return !state.isWaiting
        }
        if isOver {
            fileSystem.endedWaiting(open.number)
            return false
        }
        fileSystem.deadlines.watch(self, until: deadline)
        return true
    }

    private func fetch(_ plan: ReadPlan) {
        let (missing, round) = state.withLock { state in
            let missing = state.wantsBlocks ? plan.missingBlocks : plan.missing
            state.tokens = []
            state.outstanding = missing.count
            state.round += 1
            return (missing, state.round)
        }
        for part in missing {
            let token = fileSystem.blocks.fetch(part, priority: .demand) { result in self.fetched(result, round) }
            let isOver = state.withLock { state in
                state.tokens.append(token)
                return state.receiver == nil
            }
            if isOver { return fileSystem.blocks.cancel(token) }
        }
    }

    private func fetched(_ result: Result<Void, FetchFailure>, _ round: Int) {
        guard state.withLock({ $0.round == round }) else { return }
        switch result {
        case .success:
            let isComplete = state.withLock { state in
                state.outstanding -= 1
                return state.outstanding == 0
            }
            if isComplete { advance() }
        case .failure(.local(.noSpace)):
            makeRoom()
        case .failure(let failure):
            fail(failure.errno)
        }
    }

    /// The cache has given up blocks, but their room waits for the next epoch: run one and try again. A few times, for
    /// what comes back need not lie together.
    private func makeRoom() {
        let times = state.withLock { state in
            state.round += 1
            state.timesRoomWasMade += 1
            return state.timesRoomWasMade
        }
        guard times <= 4 else { return fail(.noSpace) }
        fileSystem.keeper.noteChange()
        fileSystem.keeper.request { _ in self.advance() }
    }

    // MARK: Replying

    /// Replies with what has just been fetched; false where that has left the page cache again.
    private func replyAtOnce(_ plan: ReadPlan) -> Bool {
        unsafe ThreadBuffer.withBytes(plan.count) { buffer in
            // A failure is met again, and reported, on the input thread.
            guard (unsafe try? fileSystem.fillWithoutWaiting(buffer, plan)) == true, fileSystem.isCurrent(plan) else {
                return false
            }
            unsafe reply(buffer, plan)
            return true
        }
    }

    /// On an input thread.
    private func readFromDisk(_ plan: ReadPlan) {
        guard state.withLock({ $0.receiver != nil }) else { return }
        do throws(Errno) {
            for block in plan.unverified where try !fileSystem.verify(block) { return advance() }
            for page in plan.doubtful
            where try !fileSystem.shared.segments.sums.verify(
                page, in: fileSystem.shared.segments)
            {
                // Nobody else has these bytes. A page that is another file's by now says nothing.
                guard fileSystem.isCurrent(plan) else { return advance() }
                fileSystem.events.foundDamage(in: open.number)
                throw .ioError
            }
            let isCurrent = unsafe try ThreadBuffer.withBytes(plan.count) { buffer throws(Errno) in
                guard unsafe try fill(buffer, plan), fileSystem.isCurrent(plan) else { return false }
                unsafe reply(buffer, plan)
                return true
            }
            if !isCurrent { advance() }
        } catch {
            fail(error)
        }
    }

    private func reply(_ buffer: UnsafeMutableRawBufferPointer, _ plan: ReadPlan) {
        guard let receiver = take() else { return }
        fileSystem.noteAccess(plan, open)
        // Safe: the receiver uses the bytes only during the call.
        unsafe receiver.receive(UnsafeRawBufferPointer(buffer).bytes)
        answered()
    }

    /// False where the disk does not read something cached any more: another round compares it, gives it up, and has it
    /// fetched again.
    private func fill(_ buffer: UnsafeMutableRawBufferPointer, _ plan: ReadPlan) throws(Errno) -> Bool {
        var position = 0
        for piece in plan.pieces {
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[position..<position + piece.length])
            position += piece.length
            guard let place = piece.place else {
                unsafe part.initializeMemory(as: UInt8.self, repeating: 0)
                continue
            }
            do throws(Errno) {
                unsafe try fileSystem.shared.segments.read(into: part, at: place)
            } catch {
                guard error == .ioError, let item = piece.cached else { throw error }
                fileSystem.shared.withStore { $0.distrust(item) }
                return false
            }
        }
        return true
    }

    // MARK: The answer

    private func take() -> (any ReadReceiver)? {
        state.withLock { $0.receiver.take() }
    }

    /// After the answer: the kernel has unlocked the pages.
    private func answered() {
        let wasWaiting = state.withLock { state in
            defer { state.isWaiting = false }
            return state.isWaiting
        }
        if wasWaiting { fileSystem.endedWaiting(open.number) }
    }

    private func fail(_ error: Errno) {
        let (receiver, tokens) = state.withLock { state in
            defer { state.tokens = [] }
            return (state.receiver.take(), state.tokens)
        }
        guard let receiver else { return }
        receiver.fail(error)
        answered()
        for token in tokens { fileSystem.blocks.cancel(token) }
    }
}
