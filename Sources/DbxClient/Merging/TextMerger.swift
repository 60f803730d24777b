package import DbxFileSystem
package import DbxLocalStore
import DbxModel
import DbxSync
package import DbxSystem
package import Logging

/// Merges conflicts of texts where folders say so. What is to be done stands in the store, so that a restart goes on with
/// it: the server has both versions, then the merged text takes the place of theirs, then the server has that, and then our
/// copy goes. One thread; with nothing to merge it sleeps.
///
/// Sendable: guarded by its monitor, which is held for moves only.
package final class TextMerger: Sendable {
    package struct Parts: Sendable {
        var shared: SharedStore
        var fileSystem: FileSystem
        var journal: ActivityJournal
        /// Takes what programs that watch the tree are to be told of.
        var events: (@Sendable ([RemoteEvent]) -> Void)?
        /// Sees a text before it may take the place of both versions.
        var willMerge: (@Sendable (_ ours: [UInt8], _ theirs: [UInt8], _ text: [UInt8]) -> Void)?
        var log: Logger

        package init(
            shared: SharedStore, fileSystem: FileSystem, journal: ActivityJournal,
            events: (@Sendable ([RemoteEvent]) -> Void)? = nil,
            willMerge: (@Sendable (_ ours: [UInt8], _ theirs: [UInt8], _ text: [UInt8]) -> Void)? = nil, log: Logger
        ) {
            self.shared = shared
            self.fileSystem = fileSystem
            self.journal = journal
            self.events = events
            self.willMerge = willMerge
            self.log = log
        }
    }

    private struct State: Sendable {
        var isStopped = false
        var isKicked = true
        var thread: WorkerThread?
    }

    private let parts: Parts
    private let state = Monitor(State())

    /// How long to wait for the server to have something.
    private static let shortestPause: Duration = .milliseconds(250)
    private static let longestPause: Duration = .seconds(30)

    package init(_ parts: Parts) { self.parts = parts }

    package func start() throws(Errno) {
        let thread = try WorkerThread(name: "dbxfs-merge") { [self] in run() }
        state.withLock { $0.thread = thread }
    }

    package func stop() {
        let thread = state.update { state in
            state.isStopped = true
            return state.thread.take()
        }
        thread?.join()
    }

    /// There are new conflicts, or a folder says something else.
    package func kick() { state.update { $0.isKicked = true } }

    // MARK: The thread

    private func run() {
        var pause: Duration?
        while true {
            let isKicked = state.wait(timeout: pause) { state -> Bool? in
                defer { state.isKicked = false }
                return state.isStopped || state.isKicked ? true : nil
            }
            guard !isStopped else { return }
            let progress = goThrough()
            let isFresh = isKicked == true || progress.hasMoved
            let next = isFresh ? Self.shortestPause : min((pause ?? Self.shortestPause) * 2, Self.longestPause)
            pause = progress.mustWait ? next : nil
        }
    }

    private struct Progress {
        /// Something is left to be done later.
        var mustWait = false
        /// Something was done.
        var hasMoved = false
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    private func goThrough() -> Progress {
        let open = try? inStore { store throws(StoreError) in try OpenConflict.all(in: store) }
        guard let open else { return Progress(mustWait: true) }
        var progress = Progress()
        for conflict in open where conflict.merge != nil && !isStopped {
            do {
                try goOn(with: conflict, &progress)
            } catch {
                parts.log.debug("\(Self.shown(conflict.path)) cannot be merged now: \(error)")
                progress.mustWait = true
            }
        }
        return progress
    }

    private func goOn(with conflict: OpenConflict, _ progress: inout Progress) throws {
        switch try inStore({ store throws(StoreError) in try MergeStep.next(for: conflict, in: store) }) {
        case .nothing: break
        case .wait: progress.mustWait = true
        case .forget:
            try inStore { store throws(StoreError) in
                try store.forgetMerge(in: conflict.record.parent, keptAs: conflict.record.keptAs)
            }
        case .fail(let obstacle):
            try note(obstacle, conflict)
        case .merge(let input):
            // The copy goes when the server has the text.
            progress.mustWait = try mustWait(toMerge: input, &progress) || progress.mustWait
        case .removeCopy(let version):
            if try !removeCopy(of: conflict, version: version) { progress.mustWait = true }
        }
    }

    private func note(_ obstacle: MergeObstacle, _ conflict: OpenConflict) throws(StoreError) {
        try inStore { store throws(StoreError) in
            guard var merge = try store.merge(in: conflict.record.parent, keptAs: conflict.record.keptAs) else {
                return
            }
            merge.state = .failed(obstacle)
            try store.recordMerge(merge)
        }
        parts.log.info("not merged, \(obstacle.rawValue): \(Self.shown(conflict.path))")
    }

    // MARK: Merging

    /// Whether there is more to do later. Throws where the server is away.
    private func mustWait(toMerge input: MergeInput, _ progress: inout Progress) throws -> Bool {
        guard !parts.fileSystem.openForWriting(input.theirs.number) else { return true }
        switch try outcome(of: input) {
        case .notMerged(let obstacle):
            try note(obstacle, input.conflict)
            return false
        case .merged(let text):
            if try put(text, input) { progress.hasMoved = true }
            return true
        }
    }

    private func outcome(of input: MergeInput) throws(Errno) -> TextMerge.Outcome {
        let ours = try parts.fileSystem.contents(of: input.ours.number, count: Int(input.ours.size))
        let theirs = try parts.fileSystem.contents(of: input.theirs.number, count: Int(input.theirs.size))
        do throws(Errno) {
            let base = try parts.fileSystem.contents(of: input.base)
            let outcome = TextMerge.merge(base: base, ours: ours, theirs: theirs)
            if case .merged(let text) = outcome { parts.willMerge?(ours, theirs, text) }
            return outcome
        } catch {
            guard error == .ioError else { throw error }
            // The server does not have it any more.
            return .notMerged(.noBase)
        }
    }

    /// False where something has changed meanwhile.
    private func put(_ text: [UInt8], _ input: MergeInput) throws(Errno) -> Bool {
        let number = input.theirs.number
        let isDone = try parts.fileSystem.replaceContent(of: number, with: text, input.attributes) { store in
            let record = input.conflict.record
            guard try input.isCurrent(in: store), var merge = try store.merge(in: record.parent, keptAs: record.keptAs)
            else { return false }
            merge.state = .merged(into: number, oursVersion: input.ours.contentVersion)
            try store.recordMerge(merge)
            return true
        }
        guard isDone else { return false }
        parts.events?([.modified(number)])
        let path = parts.shared.withStore { store in (try? TreePath.path(of: number, in: store)) ?? nil }
        parts.journal.add(.merged, [TreeActivity(.changed, path ?? input.conflict.path, bytes: Int64(text.count))])
        parts.log.info("merged \(Self.shown(input.conflict.keptAsPath)) into \(Self.shown(path ?? []))")
        return true
    }

    /// False where a program writes to it.
    private func removeCopy(of conflict: OpenConflict, version: Int64) throws(Errno) -> Bool {
        let record = conflict.record
        let isDone = try parts.fileSystem.unlink(record.keptAs, in: record.parent) { store, copy in
            var now = conflict
            now.ours = copy
            guard copy.number == conflict.ours.number,
                try MergeStep.next(for: now, in: store) == .removeCopy(version: version)
            else { return false }
            try store.forgetConflict(in: record.parent, keptAs: record.keptAs)
            return true
        }
        guard isDone else { return false }
        let target = NameChange.Target(number: conflict.ours.number, kind: .file)
        parts.events?([.removed(target, at: NamePlace(parent: record.parent, name: record.keptAs))])
        return true
    }

    private static func shown(_ path: [UInt8]) -> String { "“\(String(decoding: path, as: UTF8.self))”" }

    private func inStore<Value>(_ body: (LocalStore) throws(StoreError) -> Value) throws(StoreError) -> Value {
        try parts.shared.withStore(body)
    }
}
