import DbxLocalStore
import Synchronization

/// Files of which reads wait for the network. The kernel keeps the pages of such a read locked, and a notice that the
/// file's content has changed waits for them; where the daemon is killed meanwhile, neither ends. So the notice is held
/// back until the reads have their answers, which they get by their deadline. Guarded by its own mutex.
final class WaitingReads: Sendable {
    private struct File {
        var reads = 0
        var holdsNotice = false
    }

    private let files = Mutex<[InodeNumber: File]>([:])

    func begin(_ number: InodeNumber) { files.withLock { $0[number, default: File()].reads += 1 } }

    /// A read has its answer; true when a notice that was held back is to be sent now.
    func end(_ number: InodeNumber) -> Bool {
        files.withLock { files in
            guard var file = files[number] else { return false }
            file.reads -= 1
            files[number] = file.reads > 0 ? file : nil
            return file.reads == 0 && file.holdsNotice
        }
    }

    /// Whether the notice is held back.
    func holdNotice(of number: InodeNumber) -> Bool {
        files.withLock { files in
            guard files[number] != nil else { return false }
            files[number]?.holdsNotice = true
            return true
        }
    }
}
