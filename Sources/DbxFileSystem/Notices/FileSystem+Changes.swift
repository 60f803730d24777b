package import DbxLocalStore
import Synchronization

extension FileSystem {
    /// Tells the kernel what a remote change, already applied to the store, has touched: exactly that, and only where the
    /// kernel may know of it. From the sync engine's thread, without locks.
    package func apply(changes: [TreeChange]) {
        guard let notifier = notifier.withLock({ $0 }) else { return }
        var contents: Set<InodeNumber> = []
        var attributes: Set<InodeNumber> = []
        for change in Set(changes) {
            switch change {
            case .entry(let directory, let name):
                guard nodes.isKnown(directory) else { continue }
                notifier.invalidateEntry(name, in: directory)
                // The kernel keeps a directory's listing as that inode's content.
                contents.insert(directory)
            case .content(let number):
                nodes.noteRemoteContent(number)
                if nodes.isKnown(number) { contents.insert(number) }
            case .attributes(let number):
                if nodes.isKnown(number) { attributes.insert(number) }
            }
        }
        for number in contents {
            if waitingReads.holdNotice(of: number) {
                notifier.invalidateAttributes(of: number)
            } else {
                notifier.invalidateContent(of: number)
            }
        }
        for number in attributes.subtracting(contents) { notifier.invalidateAttributes(of: number) }
    }

    /// A read of the file that waited for the network has its answer.
    func endedWaiting(_ number: InodeNumber) {
        guard waitingReads.end(number) else { return }
        notifier.withLock { $0 }?.invalidateContent(of: number)
    }

    /// Where `apply` sends its notices; nil before and after the mount.
    package func setNotifier(_ new: (any KernelNotifier)?) { notifier.withLock { $0 = new } }

    /// Whether a program has the file open for writing: remote content waits for its last close.
    package func openForWriting(_ number: InodeNumber) -> Bool { nodes.writers(of: number) > 0 }

    /// Whether a program has the file open at all: its content must not vanish under it.
    package func isOpen(_ number: InodeNumber) -> Bool { nodes.isOpen(number) }

    /// The server's limits, as `statfs` shows them from now on.
    package func setQuota(_ new: StorageQuota?) { quota.withLock { $0 = new } }

    /// Something has gone up: writers that wait for room look again.
    package func roomMayHaveGrown() {
        room.progress()
        pacer.freed(shared.withStore { $0.stagingLoad(since: $0.stagingBytes) })
    }
}
