import DbxLocalStore
import DbxSystem
import Synchronization

/// Nodes without a name and without a user, to be removed from the store soon. Guarded by its own mutex.
final class OrphanQueue: Sendable {
    private struct State {
        var numbers: [InodeNumber] = []
        var isScheduled = false
    }

    private let state = Mutex(State())

    /// True when the caller is to see to it that `FileSystem.removeOrphans` runs.
    @discardableResult
    func add(_ numbers: [InodeNumber]) -> Bool {
        state.withLock { state in
            state.numbers += numbers
            if state.isScheduled || state.numbers.isEmpty { return false }
            state.isScheduled = true
            return true
        }
    }

    /// The next few; none ends the schedule.
    func take(_ limit: Int) -> [InodeNumber] {
        state.withLock { state in
            let taken = Array(state.numbers.suffix(limit))
            state.numbers.removeLast(taken.count)
            if taken.isEmpty { state.isScheduled = false }
            return taken
        }
    }

    func cancelSchedule() { state.withLock { $0.isScheduled = false } }
}

extension FileSystem {
    /// Removes the orphan soon, on another thread: the last close and the kernel's forgetting need not wait for it.
    func scheduleRemoval(of number: InodeNumber) {
        guard orphans.add([number]) else { return }
        let isAccepted = inputThreads.trySubmit(.background) { [weak self] in self?.removeOrphans() }
        if !isAccepted { orphans.cancelSchedule() }
    }

    /// In small transactions, so that the store's lock is never held for long. What fails is removed at the next start.
    func removeOrphans() {
        while true {
            let numbers = orphans.take(32)
            if numbers.isEmpty { return }
            try? inStore { store in
                try store.transaction {
                    for number in numbers { try store.removeOrphan(number) }
                }
            }
        }
    }
}
