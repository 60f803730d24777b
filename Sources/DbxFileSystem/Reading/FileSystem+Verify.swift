import DbxLocalStore
import DbxSystem

extension FileSystem {
    /// Compares a cached block with its checksums, as is done once per block after a start. False: it was damaged and is
    /// out of the cache now, to be fetched again. Reads the whole block: on an input thread.
    func verify(_ block: CachedBlock) throws(Errno) -> Bool {
        let expected = try inStore { store in try store.checksums(of: block.block) }
        let isWhole = unsafe try ThreadBuffer.withBytes(Int(block.length)) { buffer throws(Errno) in
            unsafe try shared.segments.read(into: buffer, at: block.location)
            let found = unsafe CRC32C.checksums(
                UnsafeRawBufferPointer(buffer), frameBytes: CachedBlock.frameBytes)
            return found == expected
        }
        try inStore { store in
            // The block may have been given up meanwhile, and what was read was no longer its own.
            guard let current = store.cached(block.block), current.location == block.location else { return }
            if isWhole { store.markVerified(block.block) } else { try store.dropCache(block.block) }
        }
        return isWhole
    }
}
