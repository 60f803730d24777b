import DbxServerStores
import Synchronization

/// Notices whose outbox rows can go because they have been published. They go with the next commit's transaction, so
/// that no notice costs a wait for the disk of its own; after a crash they are published once more. Guarded by its
/// lock.
final class Outbox: Sendable {
    private let sent = Mutex<[HeadRecord]>([])

    func published(_ notices: [HeadRecord]) { sent.withLock { $0 += notices } }

    func takePublished() -> [HeadRecord] {
        sent.withLock { sent in
            defer { sent = [] }
            return sent
        }
    }
}
