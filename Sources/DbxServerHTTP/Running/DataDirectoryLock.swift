import DbxSystem

/// Keeps two servers from using one data directory: an flock(2) on `<data>/server.lock`, which the kernel lets go when
/// the process ends, however it ends. Commands do not take it.
package struct DataDirectoryLock: Sendable {
    /// The lock lasts as long as the file is open.
    private let file: OpenFile

    /// Makes the directory where there is none.
    package init(dataDirectory: String) throws(ConfigurationError) {
        let lock: OpenFile
        let isFree: Bool
        do throws(Errno) {
            try Paths.createPrivateDirectory(dataDirectory)
            lock = try OpenFile(path: dataDirectory + "/server.lock", [.readWrite, .create])
            isFree = try lock.tryLock()
        } catch {
            throw ConfigurationError(
                "The data directory \(dataDirectory) cannot be used: \(error). Check its path and who owns it.")
        }
        guard isFree else {
            throw ConfigurationError(
                "Another dbxfs-server uses \(dataDirectory). Stop it first, or give this one another --data.")
        }
        file = lock
    }
}
