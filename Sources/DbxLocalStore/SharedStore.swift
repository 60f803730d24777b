import DbxSystem

/// The local store behind the one lock of the client.
///
/// Under the lock: no network, no sync of the disk, no waiting. FUSE threads hold it for microseconds. It is the innermost
/// lock: nothing else is locked while it is held.
package final class SharedStore: @unchecked Sendable {
    // Sendable because `store` is touched only inside `withStore`.
    private let store: LocalStore
    private let lock = AdaptiveLock()
    /// Reads and writes of bytes need no lock.
    package let segments: SegmentFiles

    package init(_ store: sending LocalStore) {
        segments = store.segments
        self.store = store
    }

    package func withStore<Result, Failure: Error>(
        _ body: (LocalStore) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try lock.withLock { () throws(Failure) -> Result in try body(store) }
    }
}
