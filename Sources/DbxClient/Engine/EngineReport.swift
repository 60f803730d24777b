import DbxModel
import DbxWire
import Synchronization

/// What the sync loop tells the rest of the daemon. Sendable; the lock is held for a copy only.
final class EngineReport: Sendable {
    struct State: Sendable {
        var lastError: StatusError?
        var refused: [RefusedItem] = []
        /// The rows behind `refused`, all of them.
        var held: [NodeID: HeldRows.Refusal] = [:]
        /// What the mass-change guard holds back.
        var guarded: GuardStatus?
        var quota: Quota?
        var commits: Int64 = 0
        var commitRows: [String: Int64] = [:]
        var pulls: Int64 = 0
        /// Nothing more can be done now for what is pending: all of it is refused, keeps failing, or depends on such.
        var isStuck = false
    }

    private let state = Mutex(State())

    var current: State { state.withLock { $0 } }

    func update(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    func countCommit(_ request: CommitRequest) {
        let segments = request.nodes.reduce(0) { $0 + ($1.content?.segments.count ?? 0) }
        update { state in
            state.commits += 1
            state.commitRows["node", default: 0] += Int64(request.nodes.count)
            state.commitRows["entry", default: 0] += Int64(request.entries.count)
            state.commitRows["segment", default: 0] += Int64(segments)
        }
    }
}
