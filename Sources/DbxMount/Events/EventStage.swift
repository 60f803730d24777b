package import DbxFileSystem
import DbxLocalStore
import FuseLowLevel
import Synchronization

/// The one event that the helper is raising, and who the helper is.
///
/// No notice of FUSE makes an inotify event: the kernel makes them where a program's call has succeeded. So a process of ours
/// makes the call that would have done what the server's change has done already, and the mount answers it as done. From
/// that process nothing else is taken. Any thread; guarded by a mutex.
package final class EventStage: Sendable {
    private struct State {
        /// Threads' ids of helpers that live, or were killed and may still be in a call.
        var helpers: Set<Int32> = []
        var event: RemoteEvent?
    }

    private let state = Mutex(State())
    /// Spares other programs' requests the mutex.
    private let hasHelper = Atomic(false)

    package init() {}

    package func admit(_ helper: Int32) {
        state.withLock { _ = $0.helpers.insert(helper) }
        hasHelper.store(true, ordering: .releasing)
    }

    /// Once the process has ended, and before its number can be somebody else's.
    package func dismiss(_ helper: Int32) {
        let isLast = state.withLock { state in
            state.helpers.remove(helper)
            return state.helpers.isEmpty
        }
        if isLast { hasHelper.store(false, ordering: .releasing) }
    }

    package func show(_ event: RemoteEvent?) { state.withLock { $0.event = event } }

    /// Nil for everybody but the helper.
    func request(by context: FuseContext) -> StagedRequest? {
        guard hasHelper.load(ordering: .acquiring) else { return nil }
        return state.withLock { state in
            state.helpers.contains(context.pid) ? StagedRequest(event: state.event) : nil
        }
    }
}

/// A request of the helper, and the event that it belongs to. A value; the rules of which call belongs to which event.
struct StagedRequest {
    enum Found {
        case nothing
        case node(NameChange.Target, hadOneLinkMore: Bool)
        /// The name has no part in the event: as it is.
        case asItIs
    }

    var event: RemoteEvent?

    /// What the name led to before the event.
    func lookup(_ place: NamePlace) -> Found {
        switch event {
        case .created(_, place): .nothing
        case .removed(let target, place): .node(target, hadOneLinkMore: true)
        case .moved(let target, from: place, to: _, over: _): .node(target, hadOneLinkMore: false)
        case .moved(_, from: _, to: place, let over): over.map { .node($0, hadOneLinkMore: true) } ?? .nothing
        default: .asItIs
        }
    }

    func creates(_ place: NamePlace) -> NameChange.Target? {
        if case .created(let target, place) = event { target } else { nil }
    }

    func removes(_ place: NamePlace) -> Bool {
        if case .removed(_, place) = event { true } else { false }
    }

    func moves(_ old: NamePlace, _ new: NamePlace) -> Bool {
        if case .moved(_, from: old, to: new, over: _) = event { true } else { false }
    }

    func changes(_ number: InodeNumber) -> Bool { event == .modified(number) || event == .attributes(number) }
}

extension FuseHandle {
    /// What the helper opens has no handle of the file system.
    static let helper = FuseHandle(rawValue: .max)
}
