import DbxSystem
import Synchronization

/// One step towards the disk (docs/DURABILITY.md): `beginEpoch` under the lock; `fdatasync` of its segments without
/// the lock; `commitEpoch` under the lock; `syncLog` without it; `finishEpoch` under the lock. Tickets are finished in
/// the order in which they were begun.
package struct EpochTicket: Sendable {
    package let number: Int64
    /// To be synced before the epoch's row is committed.
    package let segments: [Int32]
    let freed: [FreedPage]
}

struct FreedPage: Sendable {
    var segment: Int32
    var page: Int
}

extension LocalStore {
    /// Everything done so far belongs to this epoch; what is written from now on to the next.
    package func beginEpoch() -> EpochTicket {
        defer {
            unsyncedSegments = []
            lastEpochChange = change
            sealEpoch()
        }
        return EpochTicket(
            number: epoch, segments: unsyncedSegments.sorted(),
            freed: space.takeFreed().map { FreedPage(segment: $0.segment, page: $0.page) })
    }

    package func commitEpoch(_ ticket: EpochTicket) throws(StoreError) {
        try transaction {
            try execute(
                "INSERT INTO epochs (number, boot) VALUES (?, ?)",
                [ticket.number.sqlValue, (Paths.bootID() ?? []).sqlValue])
            try execute("DELETE FROM epochs WHERE number < ?", [(ticket.number - 8).sqlValue])
        }
        try database.commit()
    }

    /// The epoch is on the disk: what was freed before it may be used again.
    package func finishEpoch(_ ticket: EpochTicket) {
        space.reuse(ticket.freed.map { ($0.segment, $0.page) })
        if !ticket.freed.isEmpty { reuseGeneration.add(1, ordering: .releasing) }
        statistics.epochs += 1
    }

    /// The epoch could not be made durable: nothing of it counts.
    package func failEpoch(_ ticket: EpochTicket) {
        unsyncedSegments.formUnion(ticket.segments)
        lastEpochChange = 0
        space.giveBack(ticket.freed.map { ($0.segment, $0.page) })
    }

    /// Waits until every commit of the database so far is on the disk: the log holds all of them. Without the lock.
    package static func syncLog(directory: String) throws(StoreError) {
        do {
            try OpenFile(path: directory + "/state.db-wal", .readWrite).syncData()
        } catch {
            throw .io(error)
        }
    }

    /// Whether an epoch would make anything durable that is not, or give freed room back.
    package var hasUnsyncedChanges: Bool {
        !unsyncedSegments.isEmpty || change != lastEpochChange || space.freedCount > 0 || database.hasUncommitted
    }
}
