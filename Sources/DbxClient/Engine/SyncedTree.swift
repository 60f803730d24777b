package import DbxFileSystem
package import DbxLocalStore
package import DbxSystem

/// What sync needs of the mounted tree. Called from the engine's thread without locks.
package protocol SyncedTree: Sendable {
    /// Makes the kernel forget what a remote change, already in the store, has touched.
    func apply(changes: [TreeChange])
    func openForWriting(_ number: InodeNumber) -> Bool
    func isOpen(_ number: InodeNumber) -> Bool
    /// Takes nodes out of the store that have no name and that nobody uses.
    func removeOrphans()
    func setQuota(_ quota: StorageQuota?)
    /// Waits until everything done so far is on the local disk.
    func synchronizeEverything() throws(Errno)
    /// Bytes of a file, fetched where they are not here; waits for them.
    func contents(of number: InodeNumber, at offset: Int64, count: Int) throws(Errno) -> [UInt8]
    /// Before a file goes up: what is edited in very many places becomes a few long runs. May wait for the network.
    func fold(_ number: InodeNumber)
    /// Staged bytes have gone up.
    func roomMayHaveGrown()
}

extension FileSystem: SyncedTree {}
