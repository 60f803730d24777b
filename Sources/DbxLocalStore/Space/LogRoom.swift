import DbxSystem

/// Room on the disk that is set aside where a log goes on, so that what has to be written in order to leave a full disk can
/// be: removals, and the epochs that give room back. Nobody else gets it, unlike a file that is kept to be deleted.
struct LogRoom {
    /// How much is set aside; below half of it more is asked for.
    let bytes: Int64
    /// How far it goes.
    private var end: Int64 = 0
    /// The disk did not have that much when it was asked last.
    private(set) var isShort = false

    /// There is room that was asked for.
    var isKept: Bool { end > 0 && !isShort }

    init(bytes: Int64) { self.bytes = bytes }

    /// Asks for room behind `position` unless there is enough.
    mutating func keep(_ file: OpenFile, behind position: Int64) throws(Errno) {
        if isShort || position + bytes / 2 > end { try take(file, behind: position) }
    }

    /// The same, whatever there is: throws where the disk cannot be written to.
    mutating func take(_ file: OpenFile, behind position: Int64) throws(Errno) {
        do {
            try file.reserve(offset: position, length: bytes)
            end = max(end, position + bytes)
            isShort = false
        } catch {
            // A disk that fails is not full.
            isShort = error == .noSpace
            // A file system that cannot reserve room says so at the write.
            guard error == .notSupported else { throw error }
            end = .max - bytes
        }
    }

    /// Whether `count` bytes can be written at `position` whatever the disk is like.
    func holds(_ count: Int64, at position: Int64) -> Bool { position + count <= end }
}
