package import DbxSystem
import Synchronization

/// One step towards the disk (docs/DURABILITY.md): `beginEpoch` under the lock; `sync` without it; then `finishEpoch`, or
/// `failEpoch`, under the lock. Tickets are finished in the order in which they were begun.
package struct EpochTicket: Sendable {
    package let number: Int64
    /// Segments that were written since the last epoch.
    let segments: [Int32]
    let freed: [FreedPage]
    let staging: StagingLog.Step?
    let record: EpochRecord
    let directory: String
    let places: StorePlaces

    /// Waits until everything of the epoch is on the disk.
    package func sync(_ files: SegmentFiles) throws(Errno) {
        for part in try parts(files) { try part.sync() }
        try complete()
    }

    /// The bytes, the rows that name them, and what the staging log tells: in any order, or all at once, for nothing of
    /// them counts before `complete`. They are on their way when this returns.
    package func parts(_ files: SegmentFiles) throws(Errno) -> [EpochPart] {
        // What has no name is on no disk.
        guard !places.areLost else { throw .ioError }
        let log = try WriteAheadLog.open(in: directory)
        log.startWriting()
        var parts = [EpochPart(content: .rows(log), files: files)]
        for segment in segments { try files.startWriting(segment) }
        if !segments.isEmpty { parts.append(EpochPart(content: .bytes(segments), files: files)) }
        if let staging { parts.append(EpochPart(content: .staging(staging), files: files)) }
        return parts
    }

    /// After all parts: the record that says so. Until then a power cut takes the store back to the epoch before.
    package func complete() throws(Errno) { try record.write(in: directory) }
}

/// One of the things that an epoch brings to the disk.
package struct EpochPart: Sendable {
    fileprivate enum Content: Sendable {
        case rows(OpenFile)
        case bytes([Int32])
        case staging(StagingLog.Step)
    }

    fileprivate let content: Content
    fileprivate let files: SegmentFiles

    package func sync() throws(Errno) {
        switch content {
        case .rows(let log): try log.syncData()
        case .bytes(let segments):
            for segment in segments { try files.syncData(segment) }
            try files.syncNames()
        case .staging(let step):
            try step.write(sumsOf: files)
            try step.sync()
        }
    }
}

struct FreedPage: Sendable {
    var segment: Int32
    var page: Int
}

extension LocalStore {
    /// Everything done so far belongs to this epoch; what is written from now on to the next.
    package func beginEpoch() throws(StoreError) -> EpochTicket {
        keepRoom()
        let staging = try stagingLog.begin(epoch: epoch, from: self)
        let position = try database.commit()
        defer {
            unsyncedSegments = []
            lastEpochChange = change
            sealEpoch()
        }
        return EpochTicket(
            number: epoch, segments: unsyncedSegments.sorted(),
            freed: space.takeFreed().map { FreedPage(segment: $0.segment, page: $0.page) },
            staging: staging,
            record: EpochRecord(
                number: epoch, position: position, operation: database.committed, boot: boot),
            directory: configuration.directory, places: places)
    }

    /// The epoch is on the disk: what was freed before it may be used again.
    package func finishEpoch(_ ticket: EpochTicket) {
        space.thaw()
        for (segment, page) in space.reuse(ticket.freed.map { ($0.segment, $0.page) }) {
            segments.sums.forget(SegmentPage(segment: segment, index: Int32(truncatingIfNeeded: page)))
        }
        if ticket.staging != nil { stagingLog.finished() }
        if !ticket.freed.isEmpty { reuseGeneration.add(1, ordering: .releasing) }
        statistics.epochs += 1
    }

    /// The epoch could not be made durable: nothing of it counts.
    package func failEpoch(_ ticket: EpochTicket) {
        unsyncedSegments.formUnion(ticket.segments)
        lastEpochChange = -1
        stagingLog.distrust()
        space.giveBack(ticket.freed.map { ($0.segment, $0.page) })
    }

    /// Whether an epoch would make anything durable that is not, or give freed room back.
    package var hasUnsyncedChanges: Bool {
        !unsyncedSegments.isEmpty || change != lastEpochChange || space.freedCount > 0 || database.hasUncommitted
    }
}
