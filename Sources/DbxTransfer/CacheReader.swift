import DbxContent
import DbxLocalStore
import DbxModel
import DbxSystem

/// Reads whole blocks out of the cache, without the network. Sendable.
struct CacheReader: Sendable {
    let shared: SharedStore

    /// The block with its content; nil where it is not in the cache, or no longer what it was.
    func read(_ number: BlockNumber) throws(StoreError) -> BlockBase? {
        let (block, cached, expected) = try shared.withStore { store throws(StoreError) in
            (try store.block(number), store.cached(number), try store.checksums(of: .whole(number)))
        }
        guard let block, let cached else { return nil }
        let plain = try bytes(of: cached)
        // The room may have been given to something else meanwhile; if it has not, the disk has damaged the block, or does not
        // read it.
        guard let plain, sums(of: plain) == expected else {
            try shared.withStore { store throws(StoreError) in
                if store.cached(number)?.location == cached.location { try store.dropCache(number) }
            }
            return nil
        }
        return BlockBase(id: block.id, plain: plain)
    }

    /// Nil where the disk does not read them; another error says nothing of the block.
    private func bytes(of cached: CachedBlock) throws(StoreError) -> [UInt8]? {
        do throws(Errno) {
            return try shared.segments.read(count: Int(cached.length), at: cached.location)
        } catch {
            guard error == .ioError else { throw .io(error) }
            return nil
        }
    }

    private func sums(of plain: [UInt8]) -> [UInt32] {
        unsafe plain.withUnsafeBytes { unsafe CRC32C.checksums($0, frameBytes: CachedBlock.frameBytes) }
    }
}
