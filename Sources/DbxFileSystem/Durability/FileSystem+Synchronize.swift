package import DbxLocalStore
package import DbxSystem

extension FileSystem {
    /// fsync(2) of a file or directory: `completion` is called once, when what has been done to it, and to everything
    /// else before this call, is on the disk; maybe before this returns, else on another thread.
    package func synchronize(_ number: InodeNumber, completion: @escaping @Sendable (Result<Void, Errno>) -> Void) {
        keeper.request { [self] result in
            if case .success = result {
                do throws(Errno) {
                    try inStore { store in try store.markSynced(number) }
                } catch {
                    return completion(.failure(error))
                }
                events.synchronized(number)
            }
            completion(result)
        }
    }
}
