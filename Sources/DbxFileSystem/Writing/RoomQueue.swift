import DbxLocalStore
import DbxModel
import DbxSystem

/// A write that found staging full.
struct WaitingWrite: Sendable {
    var number: InodeNumber
    var offset: Int64
    var bytes: [UInt8]
    var completion: @Sendable (Result<Int, Errno>) -> Void
}

/// Ends a wait early, once; later calls do nothing.
package struct Cancellation: Sendable {
    let action: @Sendable () -> Void

    package func cancel() { action() }
}

/// Writes that wait for uploads to make room, served in order of arrival by one thread.
///
/// The first one waits while there is progress, at most `roomPatience` without and `longestWrite` in all, then gets
/// ENOSPC. Guarded by its own monitor; completions are called without it.
final class RoomQueue: Sendable {
    private struct Entry: Sendable {
        var ticket: UInt64
        var write: WaitingWrite
        var since: Duration
    }

    private struct State: Sendable {
        var entries: [Entry] = []
        var bytes = 0
        var lastTicket: UInt64 = 0
        var lastProgress: Duration = .zero
        var progressCount = 0
        var isStopped = false
        /// Nobody waits now: there is room at the first attempt, or ENOSPC.
        var isHasty = false
        var thread: WorkerThread?
    }

    private static let pause: Duration = .milliseconds(100)
    private let state = Monitor(State())
    private let limits: FileSystemLimits
    private let time: any TimeSource

    init(limits: FileSystemLimits, time: any TimeSource) {
        self.limits = limits
        self.time = time
    }

    /// `write` is one attempt, nil for no room; `isWaiting` hears that somebody has to wait.
    func start(
        write: @escaping @Sendable (WaitingWrite) throws(Errno) -> Int?, isWaiting: @escaping @Sendable () -> Void
    ) throws(Errno) {
        let thread = try WorkerThread(name: "dbxfs-room") { [self] in
            while let entry = first() { serve(entry, write, isWaiting) }
        }
        state.withLock { $0.thread = thread }
    }

    /// Answers all that wait with ENOSPC and ends the thread.
    func stop() {
        let (thread, entries) = state.update { state in
            state.isStopped = true
            defer { state.entries = [] }
            return (state.thread.take(), state.entries)
        }
        for entry in entries { entry.write.completion(.failure(.noSpace)) }
        thread?.join()
    }

    func add(_ write: WaitingWrite) -> Cancellation {
        let now = time.monotonic()
        let ticket: UInt64? = state.update { state in
            guard !state.isStopped, state.bytes + write.bytes.count <= limits.waitingWriteBytes else { return nil }
            state.lastTicket += 1
            state.bytes += write.bytes.count
            state.entries.append(Entry(ticket: state.lastTicket, write: write, since: now))
            return state.lastTicket
        }
        guard let ticket else {
            write.completion(.failure(.noSpace))
            return Cancellation {}
        }
        return Cancellation { [weak self] in self?.take(ticket)?.completion(.failure(.interrupted)) }
    }

    /// Something has gone up.
    func progress() {
        let now = time.monotonic()
        state.update { state in
            state.lastProgress = now
            state.progressCount += 1
        }
    }

    /// Whether writes that find no room end at once, those that wait now included.
    func endWaits(_ ends: Bool) {
        state.update { state in
            state.isHasty = ends
            state.progressCount += 1
        }
    }

    private func first() -> Entry? {
        state.wait { state -> Entry?? in
            if state.isStopped { return .some(nil) }
            return state.entries.first.map { .some($0) }
        } ?? nil
    }

    private func take(_ ticket: UInt64) -> WaitingWrite? {
        state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.ticket == ticket }) else { return nil }
            let write = state.entries.remove(at: index).write
            state.bytes -= write.bytes.count
            return write
        }
    }

    /// Tries the write; where there is no room, waits a moment or until something goes up.
    private func serve(
        _ entry: Entry, _ write: (WaitingWrite) throws(Errno) -> Int?, _ isWaiting: () -> Void
    ) {
        let seen = state.withLock { $0.progressCount }
        do throws(Errno) {
            if let count = try write(entry.write) {
                take(entry.ticket)?.completion(.success(count))
                return
            }
        } catch {
            take(entry.ticket)?.completion(.failure(error))
            return
        }
        if isTooLate(entry) {
            take(entry.ticket)?.completion(.failure(.noSpace))
            return
        }
        isWaiting()
        _ = state.wait(timeout: Self.pause) { $0.isStopped || $0.progressCount != seen ? true : nil }
    }

    private func isTooLate(_ entry: Entry) -> Bool {
        let now = time.monotonic()
        let (lastProgress, isHasty) = state.withLock { ($0.lastProgress, $0.isHasty) }
        if isHasty { return true }
        let lastSign = max(entry.since, lastProgress)
        return now - lastSign > limits.roomPatience || now - entry.since > limits.longestWrite
    }
}
