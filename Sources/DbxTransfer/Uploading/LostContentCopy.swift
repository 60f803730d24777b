import DbxContent
import DbxLocalStore
import DbxModel
import DbxSystem

/// Makes what the server has lost of a file's content unsent work again, from the cache. Blocks the calling thread, never
/// for the network.
struct LostContentCopy {
    let shared: SharedStore

    func bringBack(_ number: InodeNumber) throws(UploadFailure) {
        while true {
            let lost = try inStore { store throws(StoreError) in try store.lostExtents(of: number) }
            if lost.isEmpty { return }
            var copies: [DetachedCopy] = []
            var isDone = false
            defer { if !isDone { abandon(copies) } }
            for extent in lost { try copy(extent, of: number, to: &copies) }
            isDone = try inStore { [copies] store throws(StoreError) in
                try store.restage(number, from: lost, copies: copies)
            }
            if isDone { return }
            // Somebody wrote to it meanwhile.
        }
    }

    private func copy(
        _ extent: LocalExtent, of number: InodeNumber, to copies: inout [DetachedCopy]
    ) throws(UploadFailure) {
        guard case .block(let block, let offset) = extent.source else { return }
        let plain = try local { () throws(StoreError) in try CacheReader(shared: shared).read(block)?.plain }
        guard let plain, offset + extent.length <= plain.count else { throw .lost }
        let range = try inStore { store throws(StoreError) in
            try store.reserveStaging(number, offset: extent.offset, length: extent.length)
        }
        copies.append(DetachedCopy(offset: extent.offset, range: range))
        try local { () throws(StoreError) in
            do throws(Errno) {
                try shared.segments.write(Array(plain[Int(offset)..<Int(offset + extent.length)]), at: range.location)
            } catch {
                throw .io(error)
            }
        }
    }

    private func abandon(_ copies: [DetachedCopy]) {
        shared.withStore { store in for copy in copies { store.abandon(copy.range) } }
    }

    private func inStore<Value>(_ body: (LocalStore) throws(StoreError) -> Value) throws(UploadFailure) -> Value {
        try local { () throws(StoreError) in try shared.withStore(body) }
    }

    private func local<Value>(_ body: () throws(StoreError) -> Value) throws(UploadFailure) -> Value {
        do throws(StoreError) {
            return try body()
        } catch {
            throw .local(error)
        }
    }
}
