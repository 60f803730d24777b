import DbxLocalStore
import DbxModel
import DbxSystem
import Synchronization

/// Holds back the answers of writes that are ahead of uploads: the bytes are written and recorded by then, so a signal or
/// the end of the mount answers them at once, and nothing is lost. One thread; guarded by its own monitor, without which
/// answers are given.
final class WritePacer: Sendable {
    private struct Entry: Sendable {
        var ticket: UInt64
        var due: Duration
        var answer: @Sendable () -> Void
    }

    private struct State: Sendable {
        var pacing = WritePacing()
        var entries: [Entry] = []
        var lastTicket: UInt64 = 0
        /// When uploads were last told to hurry.
        var hurriedAt: Duration?
        var isStopped = false
        /// Nobody waits now.
        var isHasty = false
        var thread: WorkerThread?
        /// How many answers were held back so far.
        var heldAnswers: Int64 = 0

        var earliest: Duration? { entries.lazy.map(\.due).min() }

        mutating func takeAll() -> [Entry] {
            pacing.letGo()
            defer { entries = [] }
            return entries
        }
    }

    /// Shorter ones are no use to anybody.
    private static let shortestDelay: Duration = .milliseconds(1)
    private static let betweenHurries: Duration = .milliseconds(20)

    /// Whether anybody may have to wait: spares writes the monitor.
    private let isAhead = Atomic(false)
    private let state = Monitor(State())
    private let uploads: @Sendable () -> UploadProgress?
    private let time: any TimeSource

    /// `uploads`: nil where nothing can go up now.
    init(uploads: @escaping @Sendable () -> UploadProgress?, time: any TimeSource) throws(Errno) {
        self.uploads = uploads
        self.time = time
        let thread = try WorkerThread(name: "dbxfs-pace") { [self] in
            while let due = next() { for entry in due { entry.answer() } }
        }
        state.withLock { $0.thread = thread }
    }

    /// Answers all that wait and ends the thread.
    func stop() {
        let (thread, entries) = state.update { state in
            state.isStopped = true
            return (state.thread.take(), state.takeAll())
        }
        for entry in entries { entry.answer() }
        thread?.join()
    }

    // MARK: What happens

    /// A write has made staging more than half full, or fuller. Whether uploads are to be told to hurry.
    func wrote(_ load: StagingLoad) -> Bool {
        let progress = uploads()
        let now = time.monotonic()
        return state.withLock { state in
            if !state.isHasty { state.pacing.wrote(load, progress, now: now) }
            isAhead.store(state.pacing.due > now, ordering: .relaxed)
            guard state.hurriedAt.map({ now - $0 >= Self.betweenHurries }) ?? true else { return false }
            state.hurriedAt = now
            return true
        }
    }

    /// Something has gone up. `load`: nil where staging is not half full.
    func freed(_ load: StagingLoad?) {
        let progress = uploads()
        let now = time.monotonic()
        let entries = state.update { state in
            state.pacing.freed(load, progress, now: now)
            return state.pacing.due > now ? [] : state.takeAll()
        }
        for entry in entries { entry.answer() }
    }

    /// Whether nobody waits, those that do now included.
    func endDelays(_ ends: Bool) {
        let entries = state.update { state in
            state.isHasty = ends
            return ends ? state.takeAll() : []
        }
        for entry in entries { entry.answer() }
    }

    // MARK: Waiting

    /// Whether the answer of a write is to go through `hold`.
    var holdsWriters: Bool { isAhead.load(ordering: .relaxed) }

    var heldAnswers: Int64 { state.withLock { $0.heldAnswers } }

    /// Calls `answer` once, when the writer has waited for what it has written; at once where there is nothing to wait
    /// for. Cancelling answers too.
    func hold(_ answer: @escaping @Sendable () -> Void) -> Cancellation {
        let now = time.monotonic()
        let ticket: UInt64? = state.update { state in
            let due = state.pacing.due
            guard !state.isStopped, due - now >= Self.shortestDelay else {
                isAhead.store(due > now, ordering: .relaxed)
                return nil
            }
            state.lastTicket += 1
            state.heldAnswers += 1
            state.entries.append(Entry(ticket: state.lastTicket, due: due, answer: answer))
            return state.lastTicket
        }
        guard let ticket else {
            answer()
            return Cancellation {}
        }
        return Cancellation { [weak self] in self?.take(ticket)?.answer() }
    }

    private func take(_ ticket: UInt64) -> Entry? {
        state.withLock { state in
            state.entries.firstIndex { $0.ticket == ticket }.map { state.entries.remove(at: $0) }
        }
    }

    /// Those that have waited long enough; nil at the end.
    private func next() -> [Entry]? {
        while true {
            let first: Duration?? = state.wait { state in
                if state.isStopped { return .some(nil) }
                return state.earliest.map { .some($0) }
            }
            guard let due = first ?? nil else { return nil }
            let now = time.monotonic()
            guard due > now else { return takeDue(now) }
            _ = state.wait(timeout: due - now) { $0.isStopped || $0.earliest != due ? true : nil }
        }
    }

    private func takeDue(_ now: Duration) -> [Entry] {
        state.withLock { state in
            let due = state.entries.filter { $0.due <= now }
            state.entries.removeAll { $0.due <= now }
            return due
        }
    }
}
