package import DbxLocalStore
import DbxModel
package import DbxSystem

extension FileSystem {
    private static let detachBytes = 1 << 20

    /// Makes a node of the server's one that is here only, after bringing all of its bytes into staging; the server's goes
    /// with the next commit. Programs notice nothing. Waits for the network; on a thread that serves no request.
    package func detach(_ number: InodeNumber) throws(Errno) {
        while true {
            let before = try inStore { store in try store.contentForDetaching(number) }
            var copies: [DetachedCopy] = []
            let outcome: LocalStore.DetachOutcome
            do throws(Errno) {
                for extent in before where !extent.isStaging { try copy(extent, of: number, to: &copies) }
                outcome = try inStore { store in try store.detach(number, from: before, copies: copies) }
            } catch {
                abandon(copies)
                throw error
            }
            if outcome == .done { return changed() }
            abandon(copies)
            switch outcome {
            // Somebody wrote to it meanwhile.
            case .changed: continue
            case .unlisted: throw .wouldBlock
            case .done, .obsolete: return
            }
        }
    }

    private func copy(
        _ extent: LocalExtent, of number: InodeNumber, to copies: inout [DetachedCopy]
    ) throws(Errno) {
        var offset = extent.offset
        while offset < extent.end {
            let bytes = try contents(
                of: number, at: offset, count: Int(min(extent.end - offset, Int64(Self.detachBytes))))
            guard !bytes.isEmpty else { return }
            let place = offset
            let range = try inStore { store in
                try store.reserveStaging(number, offset: place, length: Int64(bytes.count))
            }
            copies.append(DetachedCopy(offset: offset, range: range))
            unsafe try put(bytes.span.bytes, in: range)
            offset += Int64(bytes.count)
        }
    }

    private func abandon(_ copies: [DetachedCopy]) {
        shared.withStore { store in for copy in copies { store.abandon(copy.range) } }
    }
}
