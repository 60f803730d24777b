import DbxLocalStore
import DbxSystem

extension FileSystem {
    /// Compares what is cached with its checksums, as is done once per block after a start. False: it was damaged and is
    /// out of the cache now, to be fetched again; so is what the disk does not read. Reads all of it: on an input thread.
    func verify(_ block: CachedBlock) throws(Errno) -> Bool {
        let expected = try inStore { store in try store.checksums(of: block.item) }
        let isWhole = unsafe try ThreadBuffer.withBytes(Int(block.length)) { buffer throws(Errno) in
            do throws(Errno) {
                unsafe try shared.segments.read(into: buffer, at: block.location)
            } catch {
                // Another error says nothing of the block.
                guard error == .ioError else { throw error }
                return false
            }
            let found = unsafe CRC32C.checksums(
                UnsafeRawBufferPointer(buffer), frameBytes: CachedBlock.frameBytes)
            return found == expected
        }
        try inStore { store in
            // The block may have been given up meanwhile, and what was read was no longer its own.
            guard let current = store.cached(block.item), current.location == block.location else { return }
            if isWhole { store.markVerified(block.item) } else { try store.dropCache(block.item) }
        }
        return isWhole
    }
}
