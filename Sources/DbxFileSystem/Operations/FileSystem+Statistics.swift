import DbxLocalStore
package import DbxSystem
import Synchronization

extension FileSystem {
    /// statvfs(3): the quota as size and, as free, the smaller of what it leaves and what staging can still take; without
    /// a quota the local disk's room.
    package func statistics() throws(Errno) -> FileSystemStatistics {
        let quota = quota.withLock { $0 }
        let (room, directory) = try inStore { store in (try store.stagingRoom(), store.configuration.directory) }
        guard let quota else {
            let disk = try Paths.diskSpace(at: directory)
            return FileSystemStatistics(totalBytes: disk.totalBytes, freeBytes: min(room, disk.availableBytes))
        }
        return FileSystemStatistics(totalBytes: quota.limitBytes, freeBytes: min(room, quota.leftBytes))
    }
}
