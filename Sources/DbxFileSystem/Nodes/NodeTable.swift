import DbxLocalStore
import DbxModel
import Synchronization

/// What the kernel and programs hold of each node, and what of it is in memory only.
///
/// Invariant: an orphan's row stays as long as the kernel refers to it or a program has it open. Guarded by its own
/// mutex, which is held for table operations only and never together with the store's lock.
final class NodeTable: Sendable {
    private struct Open {
        var handles = 0
        var writers = 0
    }

    private struct State {
        /// References that the kernel has been given and has not dropped. The root has one for ever and is not in here.
        var lookups: [InodeNumber: UInt32] = [:]
        var open: [InodeNumber: Open] = [:]
        var orphans: Set<InodeNumber> = []
        /// Orphans that never had a name and may get one (O_TMPFILE).
        var temporary: Set<InodeNumber> = []
        /// Access times newer than those in the store.
        var accessTimes: [InodeNumber: Timestamp] = [:]
        /// Files with content that no epoch covers.
        var unsynced: Set<InodeNumber> = []
        /// Files whose content changed remotely while the kernel may still have the old one.
        var remoteContent: Set<InodeNumber> = []

        func isReferenced(_ number: InodeNumber) -> Bool { lookups[number] != nil || open[number] != nil }

        /// Whether the node is an orphan that nothing refers to any more; if so it is taken out.
        mutating func takeOrphan(_ number: InodeNumber) -> Bool {
            guard !isReferenced(number), orphans.remove(number) != nil else { return false }
            temporary.remove(number)
            accessTimes[number] = nil
            unsynced.remove(number)
            remoteContent.remove(number)
            return true
        }
    }

    private let state = Mutex(State())

    // MARK: References of the kernel

    func remember(_ number: InodeNumber) {
        guard number != .root else { return }
        state.withLock { $0.lookups[number, default: 0] += 1 }
    }

    /// Drops references; true when the node is an orphan to be removed now.
    func forget(_ number: InodeNumber, _ count: UInt64) -> Bool {
        state.withLock { state in
            guard let known = state.lookups[number] else { return false }
            if UInt64(known) > count {
                state.lookups[number] = known - UInt32(count)
                return false
            }
            state.lookups[number] = nil
            return state.takeOrphan(number)
        }
    }

    func isKnown(_ number: InodeNumber) -> Bool {
        number == .root || state.withLock { $0.lookups[number] != nil }
    }

    /// The last name of a node is gone; true when the node is to be removed now.
    func becameOrphan(_ number: InodeNumber) -> Bool {
        state.withLock { state in
            state.orphans.insert(number)
            return state.takeOrphan(number)
        }
    }

    /// A file was made without a name; the caller has it open.
    func becameTemporary(_ number: InodeNumber) {
        state.withLock { state in
            state.orphans.insert(number)
            state.temporary.insert(number)
        }
    }

    func isTemporary(_ number: InodeNumber) -> Bool { state.withLock { $0.temporary.contains(number) } }

    /// The temporary file has its first name: it is like any other from now on.
    func gotName(_ number: InodeNumber) {
        state.withLock { state in
            state.orphans.remove(number)
            state.temporary.remove(number)
        }
    }

    /// Every reference is void: the mount has ended. Returns the orphans that were held.
    func forgetEverything() -> [InodeNumber] {
        state.withLock { state in
            state.lookups.removeAll()
            state.open.removeAll()
            defer { state.orphans.removeAll() }
            return Array(state.orphans)
        }
    }

    // MARK: Open files

    /// True when what the kernel keeps of the content is still true.
    func opened(_ number: InodeNumber, writing: Bool) -> Bool {
        state.withLock { state in
            state.open[number, default: Open()].handles += 1
            if writing { state.open[number, default: Open()].writers += 1 }
            return state.remoteContent.remove(number) == nil
        }
    }

    func closed(_ number: InodeNumber, writing: Bool) -> (wasLastWriter: Bool, removesOrphan: Bool) {
        state.withLock { state in
            guard var open = state.open[number] else { return (false, false) }
            open.handles -= 1
            if writing { open.writers -= 1 }
            state.open[number] = open.handles > 0 ? open : nil
            return (writing && open.writers == 0, state.takeOrphan(number))
        }
    }

    func writers(of number: InodeNumber) -> Int { state.withLock { $0.open[number]?.writers ?? 0 } }
    func isOpen(_ number: InodeNumber) -> Bool { state.withLock { $0.open[number] != nil } }

    func noteRemoteContent(_ number: InodeNumber) {
        state.withLock { state in
            // A file that nobody has looked at has nothing in the kernel's cache.
            if state.isReferenced(number) { state.remoteContent.insert(number) }
        }
    }

    // MARK: Content that no epoch covers

    /// To be called after the write has been recorded, so that a later epoch covers what it takes from here.
    func noteUnsynced(_ number: InodeNumber) { state.withLock { _ = $0.unsynced.insert(number) } }
    func isUnsynced(_ number: InodeNumber) -> Bool { state.withLock { $0.unsynced.contains(number) } }

    func takeUnsynced() -> Set<InodeNumber> {
        state.withLock { state in
            defer { state.unsynced.removeAll() }
            return state.unsynced
        }
    }

    func giveBackUnsynced(_ numbers: Set<InodeNumber>) { state.withLock { $0.unsynced.formUnion(numbers) } }

    // MARK: Access times

    func accessTime(of number: InodeNumber) -> Timestamp? { state.withLock { $0.accessTimes[number] } }
    func setAccessTime(of number: InodeNumber, _ time: Timestamp?) { state.withLock { $0.accessTimes[number] = time } }
    var hasAccessTimes: Bool { state.withLock { !$0.accessTimes.isEmpty } }
    var accessTimes: [InodeNumber: Timestamp] { state.withLock { $0.accessTimes } }

    /// These are in the store now; newer ones stay.
    func dropAccessTimes(_ stored: [InodeNumber: Timestamp]) {
        state.withLock { state in
            for (number, time) in stored where state.accessTimes[number] == time { state.accessTimes[number] = nil }
        }
    }
}
