import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxMount
import DbxSync
import DbxSystem
import Foundation
import Logging

/// Tells programs that watch the mounted tree with inotify what came from the server.
///
/// Nothing waits for it: events queue up to a limit, and a thread of its own raises those that somebody watches, by a helper
/// (`EventStage`). A helper that does not answer is killed, so that whatever it waits for holds up nobody but it.
final class ChangeEvents: Sendable {
    private struct State {
        var waiting: [RemoteEvent] = []
        var isStopped = false
        var counts = ["raised": Int64(0), "failed": 0, "dropped": 0]
    }

    /// More than a person's folder sees at once; what a watcher misses beyond it, it finds when it lists again.
    private static let queueLimit = 10_000

    let stage = EventStage()
    private let state = Monitor(State())
    private let thread = Monitor<WorkerThread?>(nil)

    /// What has been raised, what could not be, and what nobody tried for lack of room.
    var counts: [String: Int64] { state.withLock { $0.counts } }

    /// From the engine's thread, after the kernel was told to forget what has changed.
    func tell(_ events: [RemoteEvent]) {
        guard !events.isEmpty else { return }
        state.update { state in
            guard !state.isStopped else { return }
            let room = Self.queueLimit - state.waiting.count
            state.waiting += events.prefix(room)
            state.counts["dropped", default: 0] += Int64(max(0, events.count - room))
        }
    }

    func start(on tree: WatchedTree) throws(Errno) {
        let worker = try WorkerThread(name: "dbxfs-events") { [self] in
            let raiser = EventRaiser(tree: tree, stage: stage)
            while let events = take() { raise(events, by: raiser) }
            raiser.stop()
        }
        thread.withLock { $0 = worker }
    }

    /// Before the mount goes: a helper in it would keep it busy.
    func stop() {
        state.update { state in
            state.isStopped = true
            state.waiting = []
        }
        thread.withLock { $0.take() }?.join()
    }

    private func take() -> [RemoteEvent]? {
        state.wait { state -> [RemoteEvent]?? in
            if state.isStopped { return .some(nil) }
            guard !state.waiting.isEmpty else { return nil }
            defer { state.waiting = [] }
            return state.waiting
        } ?? nil
    }

    private func raise(_ events: [RemoteEvent], by raiser: EventRaiser) {
        for event in raiser.watched(events) {
            let pause = raiser.pause()
            if pause > .zero { _ = state.wait(timeout: pause) { $0.isStopped ? true : nil } }
            guard !state.withLock({ $0.isStopped }) else { return }
            let isRaised = raiser.raise(event)
            state.withLock { $0.counts[isRaised ? "raised" : "failed", default: 0] += 1 }
        }
    }
}

/// What raising events needs of the mount.
struct WatchedTree: Sendable {
    var mountPoint: String
    var shared: SharedStore
    var fileSystem: FileSystem
    var mount: Mount
    var time: any TimeSource
    var log: Logger
}

/// Asks the helper for one call after the other. The events' thread's own.
private final class EventRaiser {
    /// Watches are looked for when something has changed, for at most so large a part of the time.
    private static let lookShare = 20
    private static let patience: Duration = .seconds(2)
    private static let perSecond = 1_000
    private static let attempts = 3

    private let tree: WatchedTree
    private let stage: EventStage
    private var watched: Set<UInt64> = []
    private var nextLook: Duration = .zero
    private var helper: HelperProcess?
    /// Killed, but not ended yet: one that waits in the kernel may take its time.
    private var killed: [HelperProcess] = []
    private var second: (began: Duration, raised: Int) = (.zero, 0)

    init(tree: WatchedTree, stage: EventStage) {
        self.tree = tree
        self.stage = stage
    }

    /// The events that somebody watches for. The kernel has forgotten what they changed when this returns.
    func watched(_ events: [RemoteEvent]) -> [RemoteEvent] {
        let now = tree.time.monotonic()
        if now >= nextLook {
            let device = MountTable.current().last { $0.mountPoint == tree.mountPoint }?.device
            watched = device.map { InotifyWatches.inodes(watchedOn: $0) } ?? []
            nextLook = now + (tree.time.monotonic() - now) * Self.lookShare
        }
        guard !watched.isEmpty else { return [] }
        let due = events.filter(concernsWatched)
        if !due.isEmpty { forget() }
        return due
    }

    private func concernsWatched(_ event: RemoteEvent) -> Bool {
        if event.concerned.contains(where: { watched.contains($0.rawValue) }) { return true }
        switch event {
        case .modified(let number), .attributes(let number):
            let name = try? tree.shared.withStore { store in try store.entries(of: number).first }
            return name.map { watched.contains($0.parent.rawValue) } ?? false
        case .created, .removed, .moved: return false
        }
    }

    /// How long to wait before the next event, so that a flood takes no more of the machine than it must.
    func pause() -> Duration {
        let now = tree.time.monotonic()
        if now - second.began >= .seconds(1) { second = (now, 0) }
        second.raised += 1
        return second.raised > Self.perSecond ? second.began + .seconds(1) - now : .zero
    }

    func raise(_ event: RemoteEvent) -> Bool {
        for _ in 0..<Self.attempts {
            guard let call = call(for: event) else { return false }
            guard let code = ask(call, event) else { return false }
            if code == 0 { return true }
            // Somebody has looked the new name up meanwhile, so the kernel knows it: once more from the start.
            guard code == EEXIST, case .created(_, let place) = event else { return false }
            tree.fileSystem.apply(changes: [.entry(parent: place.parent, name: place.name)])
            forget()
        }
        return false
    }

    func stop() {
        if let helper { end(helper) }
        reap()
    }

    private func forget() { tree.mount.waitUntilNotified(seconds: 1) }

    /// The call's error number; nil where there is no helper, or it does not answer.
    private func ask(_ call: EventCall, _ event: RemoteEvent) -> Int32? {
        reap()
        do {
            let helper = try helper ?? startHelper()
            stage.show(event)
            defer { stage.show(nil) }
            let answer = try helper.ask(Array(JSONEncoder().encode(call)), timeout: Self.patience)
            return Int32(String(decoding: answer, as: UTF8.self))
        } catch {
            tree.log.notice("a change event cannot be raised: \(error)")
            if let helper { end(helper) }
            return nil
        }
    }

    private func startHelper() throws(Errno) -> HelperProcess {
        let new = try HelperProcess(arguments: [EventHelper.command])
        stage.admit(new.id)
        helper = new
        return new
    }

    private func end(_ helper: HelperProcess) {
        helper.kill()
        killed.append(helper)
        self.helper = nil
    }

    private func reap() {
        killed.removeAll { process in
            guard process.hasEnded() else { return false }
            stage.dismiss(process.id)
            process.reap()
            return true
        }
    }

    // MARK: From events to calls

    /// Nil where a directory of it is gone.
    private func call(for event: RemoteEvent) -> EventCall? {
        try? tree.shared.withStore { store throws(StoreError) -> EventCall? in
            switch event {
            case .created(let target, let place):
                try path(place, store).map { EventCall(.making(target.kind), $0) }
            case .removed(let target, let place):
                try path(place, store).map { EventCall(target.kind == .directory ? .removeDirectory : .unlink, $0) }
            case .moved(_, let old, let new, _):
                if let from = try path(old, store), let to = try path(new, store) {
                    EventCall(.rename, from, to: to)
                } else {
                    nil
                }
            case .modified(let number): try path(number, store).map { EventCall(.modify, $0) }
            case .attributes(let number): try path(number, store).map { EventCall(.touch, $0) }
            }
        }
    }

    private func path(_ place: NamePlace, _ store: LocalStore) throws(StoreError) -> [UInt8]? {
        try TreePath.path(of: place.name, under: place.parent, in: store).map(below)
    }

    private func path(_ number: InodeNumber, _ store: LocalStore) throws(StoreError) -> [UInt8]? {
        try TreePath.path(of: number, in: store).map(below)
    }

    private func below(_ path: [UInt8]) -> [UInt8] { Array(tree.mountPoint.utf8) + [0x2F] + path }
}
