package import DbxLocalStore
import DbxModel
package import DbxSystem

/// Bringing what stands in blocks of a file back into staging.
extension FileSystem {
    private static let pieceBytes = 1 << 20

    /// Makes a node of the server's one that is here only, after bringing all of its bytes into staging; the server's goes
    /// with the next commit. Programs notice nothing. Waits for the network; on a thread that serves no request.
    package func detach(_ number: InodeNumber) throws(Errno) {
        while true {
            let before = try inStore { store in try store.contentForDetaching(number) }
            var copies: [DetachedCopy] = []
            let outcome: LocalStore.DetachOutcome
            do throws(Errno) {
                for extent in before where !extent.isStaging { try copy(extent.range, of: number, to: &copies) }
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

    /// Makes a few long runs of what is edited in very many places, in a file that is about to go up. What cannot be had now,
    /// or is written to meanwhile, stays as it is until the next time. Waits for the network; on a thread that serves no request.
    package func fold(_ number: InodeNumber) {
        guard let parts = try? inStore({ store in try store.partsToFold(of: number) }) else { return }
        for part in parts { try? fold(number, part) }
    }

    /// One part of one stretch.
    package func fold(_ number: InodeNumber, _ part: Range<Int64>) throws(Errno) {
        let before = try inStore { store in try store.content(number, part) }
        var copies: [DetachedCopy] = []
        var isDone = false
        defer { if !isDone { abandon(copies) } }
        for range in LocalStore.rangesToCopy(before) { try copy(range, of: number, to: &copies) }
        isDone = try inStore { store in try store.fold(number, part, from: before, copies: copies) }
    }

    private func copy(
        _ range: Range<Int64>, of number: InodeNumber, to copies: inout [DetachedCopy]
    ) throws(Errno) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let bytes = try contents(
                of: number, at: offset, count: Int(min(range.upperBound - offset, Int64(Self.pieceBytes))))
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
