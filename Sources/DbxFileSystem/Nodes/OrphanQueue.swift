import DbxLocalStore
import DbxSystem
import Synchronization

/// Nodes without a name and without a user, to be removed from the store soon. Guarded by its own mutex.
final class OrphanQueue: Sendable {
    private let numbers = Mutex<[InodeNumber]>([])

    /// How many wait now.
    func add(_ numbers: [InodeNumber]) -> Int {
        self.numbers.withLock { waiting in
            waiting += numbers
            return waiting.count
        }
    }

    /// The next few; none is left when there are none.
    func take(_ limit: Int) -> [InodeNumber] {
        numbers.withLock { waiting in
            let taken = Array(waiting.suffix(limit))
            waiting.removeLast(taken.count)
            return taken
        }
    }
}

extension FileSystem {
    private static let batch = 8
    /// How many may wait: an epoch that somebody waits for removes them first.
    private static let mostWaiting = 2_048

    /// Removes the orphan before sync or an epoch looks at the store; right away only where many wait already, for in a
    /// burst of removals that would compete for the store with the removals to come.
    func scheduleRemoval(of number: InodeNumber) {
        if orphans.add([number]) >= Self.mostWaiting { removeSomeOrphans() }
    }

    /// Removes all that wait.
    package func removeOrphans() {
        while removeSomeOrphans() {}
    }

    /// In small operations, so that the store's lock is never held for long. What fails is removed at the next start.
    @discardableResult
    private func removeSomeOrphans() -> Bool {
        let numbers = orphans.take(Self.batch)
        if numbers.isEmpty { return false }
        try? inStore { store in
            try store.transaction {
                for number in numbers { try store.removeOrphan(number) }
            }
        }
        return true
    }
}
