import DbxLocalStore
import DbxModel
import DbxSystem

/// Room in the block cache that is filled from front to back with one block's content or frames of it, and then entered. Dropped before,
/// it is given back. The store's lock is held for the bookkeeping, never for the writing.
///
/// Used by one thread.
final class CacheWriter {
    private let shared: SharedStore
    private let location: SegmentLocation
    private let bytes: Int64
    private var written: Int64 = 0
    private var checksums: [UInt32] = []
    /// The first write that failed; those behind it are not tried.
    private var failure: Errno?
    private var isSettled = false

    init(_ shared: SharedStore, bytes: Int, isAwaited: Bool = true) throws(StoreError) {
        self.shared = shared
        self.bytes = Int64(bytes)
        location = try shared.withStore { store throws(StoreError) in
            try store.reserveCache(bytes: Int64(bytes), isAwaited: isAwaited)
        }
    }

    deinit {
        if !isSettled { shared.withStore { $0.abandonCache(location, bytes: bytes) } }
    }

    /// Appends content: whole pieces of 64 KiB, but for the last. Failures are kept for `commit`.
    func append(_ part: Span<UInt8>) {
        // The pointer is used only inside the closure.
        unsafe part.withUnsafeBytes { unsafe append($0) }
    }

    private func append(_ part: UnsafeRawBufferPointer) {
        precondition(written % Int64(CachedBlock.frameBytes) == 0 && Int64(part.count) <= bytes - written)
        unsafe checksums += CRC32C.checksums(part, frameBytes: CachedBlock.frameBytes)
        if failure == nil {
            do throws(Errno) {
                unsafe try shared.segments.write(part, at: location.advanced(by: written))
            } catch {
                failure = error
            }
        }
        written += Int64(part.count)
    }

    /// Enters the block, whose content has been verified and appended as a whole.
    func commit(_ block: BlockNumber) throws(StoreError) {
        try settle { store throws(StoreError) in
            try store.commitCache(block, at: location, bytes: bytes, checksums: checksums)
        }
    }

    /// Enters frames of a block, each of which has been verified and appended.
    func commit(frames: Range<Int>, of block: BlockNumber) throws(StoreError) {
        try settle { store throws(StoreError) in
            try store.commitCache(frames: frames, of: block, at: location, bytes: bytes, checksums: checksums)
        }
    }

    private func settle(_ enter: (LocalStore) throws(StoreError) -> Void) throws(StoreError) {
        precondition(written == bytes)
        if let failure { throw failure == .noSpace ? .noSpace : .io(failure) }
        try shared.withStore(enter)
        isSettled = true
    }
}
