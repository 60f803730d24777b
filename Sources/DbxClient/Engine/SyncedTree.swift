package import DbxFileSystem
package import DbxLocalStore

/// What sync needs of the mounted tree. Called from the engine's thread without locks.
package protocol SyncedTree: Sendable {
    /// Makes the kernel forget what a remote change, already in the store, has touched.
    func apply(changes: [TreeChange])
    func openForWriting(_ number: InodeNumber) -> Bool
    func isOpen(_ number: InodeNumber) -> Bool
    func setQuota(_ quota: StorageQuota?)
    /// Staged bytes have gone up.
    func roomMayHaveGrown()
}

extension FileSystem: SyncedTree {}
