import DbxLocalStore
import DbxModel
import DbxSystem

/// Puts verified content into the block cache. The store's lock is held for the bookkeeping, never for the writing.
struct CacheWriter: Sendable {
    let shared: SharedStore

    func put(_ block: BlockNumber, _ plain: [UInt8]) throws(StoreError) {
        let bytes = Int64(plain.count)
        let location = try shared.withStore { store throws(StoreError) in try store.reserveCache(bytes: bytes) }
        do {
            try shared.segments.write(plain, at: location)
        } catch {
            shared.withStore { $0.abandonCache(location, bytes: bytes) }
            throw error == .noSpace ? .noSpace : .io(error)
        }
        let checksums = Self.checksums(of: plain)
        try shared.withStore { store throws(StoreError) in
            do throws(StoreError) {
                try store.commitCache(block, at: location, bytes: bytes, checksums: checksums)
            } catch {
                store.abandonCache(location, bytes: bytes)
                throw error
            }
        }
    }

    private static func checksums(of plain: [UInt8]) -> [UInt32] {
        // The pointer is used only inside the closure.
        unsafe plain.withUnsafeBytes { unsafe CRC32C.checksums($0, frameBytes: CachedBlock.frameBytes) }
    }
}
