package import DbxLocalStore
package import DbxModel
package import DbxSystem
import Synchronization

/// The mounted tree as programs see it: POSIX's rules on top of the local store. Knows no FUSE.
///
/// Thread-safe; every operation may be called from any thread. Operations that return answer from memory and the local
/// store and wait for neither network nor disk; those that may have to wait say so and finish on threads of this object.
/// The kernel has checked permissions (`default_permissions`) before it calls. Lock order: none of the mutexes here is
/// held together with another or with the store's lock (docs/LOCKING.md).
package final class FileSystem: Sendable {
    package let ownership: Ownership
    package let counters = RequestCounters()
    let shared: SharedStore
    let blocks: any BlockFetching
    /// Nil where every directory is known in whole.
    let listing: (any DirectoryListing)?
    let time: any TimeSource
    let events: any FileSystemEvents
    let states: (any SyncStateReporting)?
    let nodes = NodeTable()
    let handles = HandleTable()
    let orphans = OrphanQueue()
    let localAttributes: LocalAttributes
    /// Reads that wait for the disk, and small chores.
    let inputThreads: ThreadPool
    let keeper: EpochKeeper
    let deadlines: ReadDeadlines
    let waitingReads = WaitingReads()
    let directories = Mutex(DirectoryReadahead())
    let room: RoomQueue
    let pacer: WritePacer
    let quota = Mutex<StorageQuota?>(nil)
    let notifier = Mutex<(any KernelNotifier)?>(nil)
    let limits: FileSystemLimits

    package init(
        shared: SharedStore, blocks: any BlockFetching, listing: (any DirectoryListing)? = nil, time: any TimeSource,
        ownership: Ownership,
        events: any FileSystemEvents, states: (any SyncStateReporting)? = nil,
        uploads: @escaping @Sendable () -> UploadProgress? = { nil },
        limits: FileSystemLimits = FileSystemLimits()
    ) throws(Errno) {
        self.shared = shared
        self.blocks = blocks
        self.listing = listing
        self.time = time
        self.ownership = ownership
        self.events = events
        self.states = states
        self.limits = limits
        do {
            localAttributes = LocalAttributes(try shared.withStore { store in try store.localAttributes() })
        } catch {
            throw Errno(error)
        }
        inputThreads = try ThreadPool(name: "dbxfs-read", threads: limits.inputThreads)
        keeper = try EpochKeeper(shared: shared, nodes: nodes, limits: limits)
        deadlines = try ReadDeadlines(time: time)
        room = RoomQueue(limits: limits, time: time)
        pacer = try WritePacer(uploads: uploads, time: time)
        try room.start(
            write: { [weak self] write throws(Errno) in try self?.writeOnce(write) },
            isWaiting: { [keeper, events] in
                // Freed room comes back with an epoch.
                keeper.request(nil)
                events.stagingIsFull()
            })
        keeper.beforeEpoch.set { [weak self] in self?.removeOrphans() }
    }

    /// Ends everything once no request comes any more: waiting calls are answered, what was written is made durable, what
    /// only open files held is removed.
    package func shutdown() {
        pacer.stop()
        room.stop()
        let held = nodes.forgetEverything()
        _ = orphans.add(held)
        removeOrphans()
        keeper.stop()
        deadlines.stop()
        inputThreads.shutdown()
    }

    /// Waits until all that has been done so far is on the disk.
    package func synchronizeEverything() throws(Errno) {
        // Not only programs change the store: sync keeps there what it is about to send.
        if shared.withStore({ $0.hasUnsyncedChanges }) { keeper.noteChange() }
        try keeper.synchronize()
    }

    /// Something was changed in the store past this object: an epoch is due soon.
    package func noteStoreChange() { keeper.noteChange() }

    /// Set once the disk has failed to keep what it was given: nothing becomes durable any more.
    package var diskFailure: Errno? { keeper.failure }

    /// The machine is about to sleep: writes that wait for room are let in beyond the limit, or end; what has been done is
    /// brought to the disk. The same for those that come until `wake`.
    package func prepareForSleep() {
        shared.withStore { $0.isStagingLimitLifted = true }
        room.endWaits(true)
        pacer.endDelays(true)
        try? synchronizeEverything()
    }

    package func wake() {
        shared.withStore { $0.isStagingLimitLifted = false }
        room.endWaits(false)
        pacer.endDelays(false)
    }

    /// The store under its lock, with its failures as a program sees them.
    func inStore<Result>(_ body: (LocalStore) throws -> Result) throws(Errno) -> Result {
        do {
            return try shared.withStore(body)
        } catch {
            throw Errno(error)
        }
    }

    /// What stat(2) tells of a node, with the access time that memory has.
    func attributes(_ node: LocalNode) -> FileAttributes {
        var attributes = FileAttributes(node, ownership: ownership)
        if let accessTime = nodes.accessTime(of: node.number) { attributes.accessTime = accessTime }
        return attributes
    }
}

/// Numbers of the file system that tests and administrators may change.
package struct FileSystemLimits: Hashable, Sendable {
    package var inputThreads = 8
    /// At least this often what has been written becomes durable.
    package var epochInterval: Duration = .seconds(5)
    /// SQLite's log goes into the database file when it is larger.
    package var largestLogBytes: Int64 = 64 << 20
    /// A write that finds staging full waits as long as uploads make progress, at most so long without.
    package var roomPatience: Duration = .seconds(30)
    /// And no longer than this in all.
    package var longestWrite: Duration = .seconds(60)
    /// Bytes of writes that may wait; further ones fail at once.
    package var waitingWriteBytes = 256 << 20
    /// A read that is not complete by then fails.
    package var longestRead: Duration = .seconds(60)
    /// Whose reads fail where they would have to fetch.
    package var idleReaders = IdleReaders.usual

    package init() {}
}
