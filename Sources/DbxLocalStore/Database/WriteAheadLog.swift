import DbxModel
import DbxSystem

/// SQLite's log as a file (the format is documented in sqlite.org/fileformat2.html, section 4): only so much as taking it
/// back to an earlier commit needs.
enum WriteAheadLog {
    /// The end of a commit. Two logs have the same salt only if they are one.
    struct Position: Hashable, Sendable {
        var salt: UInt64
        var frames: Int64
    }

    private static let headerBytes = 32
    private static let frameHeaderBytes: Int64 = 24
    /// SQLite's default, which nothing here changes.
    private static let pageBytes: Int64 = 4_096

    static func path(_ directory: String) -> String { directory + "/state.db-wal" }
    /// Where SQLite finds pages in its log: 32 KiB for 4,096 frames (sqlite.org/walformat.html).
    static func indexPath(_ directory: String) -> String { directory + "/state.db-shm" }

    static func bytes(frames: Int64) -> Int64 { frames * (frameHeaderBytes + pageBytes) }

    /// The salt of the log as it is now; nil where there is none.
    static func salt(in directory: String) throws(Errno) -> UInt64? { try header(in: directory)?.salt }

    static func open(in directory: String) throws(Errno) -> OpenFile {
        try OpenFile(path: path(directory), .readWrite)
    }

    /// Takes every commit behind `position` off the log. A log that has begun anew since then holds none before it:
    /// SQLite begins anew only when the database file has all of the old one, synced. Before the database is opened.
    static func rollBack(to position: Position, in directory: String) throws(Errno) {
        try? Paths.remove(indexPath(directory))
        guard let header = try header(in: directory) else { return }
        guard header.salt == position.salt else { return try Paths.remove(path(directory)) }
        let end = Int64(headerBytes) + position.frames * (frameHeaderBytes + header.pageBytes)
        let log = try OpenFile(path: path(directory), .readWrite)
        if try log.size() > end {
            try log.setSize(end)
            try log.sync()
        }
    }

    private static func header(in directory: String) throws(Errno) -> (salt: UInt64, pageBytes: Int64)? {
        let bytes: [UInt8]
        do {
            bytes = try OpenFile(path: path(directory), .readOnly).read(count: headerBytes, at: 0)
        } catch {
            guard error == .noSuchFile else { throw error }
            return nil
        }
        guard bytes.count == headerBytes else { return nil }
        return (bytes[16..<24].bigEndianValue, Int64(bytes[8..<12].bigEndianValue))
    }
}
