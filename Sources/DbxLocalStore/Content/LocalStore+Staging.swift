import DbxSystem

/// Where bytes of a write go: write them there, without the lock, then call `recordWrite`.
package struct StagingRange: Hashable, Sendable {
    package var location: SegmentLocation
    package var length: Int64
    /// The bytes replace ones of this epoch that nothing else has seen: no extent changes.
    let isInPlace: Bool
    let epoch: Int64
}

/// Room set aside for a file that is written from front to back, so that its extents join.
struct StagingReservation {
    var location: SegmentLocation
    var remaining: Int64
    /// Where in the file the next write would continue.
    var nextOffset: Int64
    /// How much the next reservation takes: doubles while the writes stay sequential.
    var nextBytes: Int64
}

extension LocalStore {
    private static let largestReservation: Int64 = 8 << 20

    /// Room for `length` bytes at `offset` of the file, held until `recordWrite` or `abandon`. Staging is copy-on-write:
    /// only bytes written in this epoch and seen by no upload are replaced in place.
    package func reserveStaging(
        _ number: InodeNumber, offset: Int64, length: Int64
    ) throws(StoreError) -> StagingRange {
        if let range = try inPlace(number, offset: offset, length: length) {
            // Should the file let go of the bytes meanwhile, nobody else gets them before they have been written.
            space.retain(range.location, length)
            writingInPlace[range, default: 0] += 1
            return range
        }
        if var reservation = reservations[number], reservation.nextOffset == offset, reservation.remaining >= length {
            return StagingRange(
                location: handOut(length, of: &reservation, to: number), length: length, isInPlace: false, epoch: epoch)
        }
        return try newReservation(number, offset: offset, length: length)
    }

    /// Whether an epoch, an upload or a copy has come to see the bytes that an in-place range replaces, or they have left
    /// the file, since it was reserved. Such a range is not recorded: the snapshot has the old bytes or some of the new
    /// ones, and what replaces it would undo the write.
    func isStale(_ range: StagingRange, at offset: Int64, of number: InodeNumber) throws(StoreError) -> Bool {
        guard range.isInPlace else { return false }
        return try inPlace(number, offset: offset, length: range.length) != range
    }

    private func inPlace(
        _ number: InodeNumber, offset: Int64, length: Int64
    ) throws(StoreError) -> StagingRange? {
        let extents = try content(number, offset..<offset + length)
        guard extents.count == 1, extents[0].length == length,
            case .staging(let location, let written) = extents[0].source, written == epoch
        else { return nil }
        return StagingRange(location: location, length: length, isInPlace: true, epoch: epoch)
    }

    private func newReservation(
        _ number: InodeNumber, offset: Int64, length: Int64
    ) throws(StoreError) -> StagingRange {
        let previous = reservations[number]
        let isSequential = previous?.nextOffset == offset
        try releaseReservation(number)
        var wanted = isSequential ? max(length, previous?.nextBytes ?? 0) : length
        // What is only set aside is not to stand in the way of what is written.
        if wanted > length, try isStagingFull(with: wanted) { wanted = length }
        let total = (wanted + SpaceMap.pageBytes - 1) / SpaceMap.pageBytes * SpaceMap.pageBytes
        let location = try allocate(total, forStaging: true)
        var reservation = StagingReservation(
            location: location, remaining: total, nextOffset: offset,
            nextBytes: min(Self.largestReservation, max(total * 2, 256 << 10)))
        return StagingRange(
            location: handOut(length, of: &reservation, to: number), length: length, isInPlace: false, epoch: epoch)
    }

    /// Takes `length` bytes off the front of a reservation; both parts hold their pages from then on.
    private func handOut(
        _ length: Int64, of reservation: inout StagingReservation, to number: InodeNumber
    ) -> SegmentLocation {
        let location = reservation.location
        let rest = reservation.remaining - length
        var parts = [SegmentRange(location, length)]
        if rest > 0 { parts.append(SegmentRange(location.advanced(by: length), rest)) }
        space.exchange([SegmentRange(location, reservation.remaining)], for: parts)
        reservation.location = location.advanced(by: length)
        reservation.remaining = rest
        reservation.nextOffset += length
        reservations[number] = reservation
        return location
    }

    /// Gives back what was set aside for the next write of the file; called at its last close.
    package func releaseReservation(_ number: InodeNumber) throws(StoreError) {
        guard let reservation = reservations.removeValue(forKey: number), reservation.remaining > 0 else { return }
        space.release(reservation.location, reservation.remaining)
    }

    /// A handed-out range is held by its extents now.
    func settleReservation(_ range: StagingRange) {
        endWritingInPlace(range)
        space.release(range.location, range.length)
        undo.append { [unowned self] in space.retain(range.location, range.length) }
    }

    /// The range is not recorded: its write failed, or is to be made again.
    package func abandon(_ range: StagingRange) {
        endWritingInPlace(range)
        space.release(range.location, range.length)
    }

    private func endWritingInPlace(_ range: StagingRange) {
        guard range.isInPlace, let count = writingInPlace[range] else { return }
        writingInPlace[range] = count > 1 ? count - 1 : nil
    }

    /// Pages with bytes that some thread is about to replace in place: what it finds to be part of an epoch by then it
    /// writes again elsewhere, but it has changed them.
    var unsettledPages: Set<SegmentPage> {
        writingInPlace.keys.reduce(into: []) { $0.formUnion(SegmentPage.covering($1.location, $1.length)) }
    }

    func retain(_ extent: LocalExtent) {
        guard case .staging(let location, _) = extent.source else { return }
        space.retain(location, extent.length)
        stagingBytes += extent.length
    }

    func release(_ extent: LocalExtent) {
        guard case .staging(let location, _) = extent.source else { return }
        space.release(location, extent.length)
        stagingBytes -= extent.length
    }

    /// `new` takes the place of `old`.
    func exchange(_ old: [LocalExtent], for new: [LocalExtent]) {
        space.exchange(old.compactMap(\.stagedRange), for: new.compactMap(\.stagedRange))
        for extent in new where extent.isStaging { stagingBytes += extent.length }
        for extent in old where extent.isStaging { stagingBytes -= extent.length }
    }

    /// From now on nothing written so far is replaced in place.
    func sealEpoch() { epoch += 1 }
}
