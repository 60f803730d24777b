package import DbxSystem

/// What can go wrong in the local store. Nothing of a failed operation has happened.
package enum StoreError: Error, Hashable, Sendable {
    /// The staging limit is reached, or the disk is: writers wait for uploads or get ENOSPC.
    case noSpace
    /// Another process has this store open.
    case inUse(path: String)
    /// Written by a newer version.
    case tooNew(path: String)
    /// A row or a file does not say what it should.
    case corrupt(String)
    case io(Errno)
    case database(String)
    /// The name exists already, or does not, where the caller had made sure otherwise.
    case nameTaken
    case notFound
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noSpace:
            "no room for unsent data: wait for uploads to finish, free disk space, or raise the limits"
        case .inUse(let path):
            "\(path) is used by another dbxfs process: unmount that one first (dbxfs umount), or use another --profile"
        case .tooNew(let path):
            "\(path) was written by a newer dbxfs: install that version, or move the directory away to start afresh"
        case .corrupt(let what):
            "the local state is damaged (\(what)); dbxfs fsck --repair saves what only it has"
        case .io(let error): "the local disk failed: \(error)"
        case .database(let text): "the local state database failed: \(text)"
        case .nameTaken: "the name is taken"
        case .notFound: "not found"
        }
    }
}
