import DbxSystem

/// The files of a store, seen before any is opened.
enum StoreFiles {
    /// Those beside the segments.
    static let names = ["state.db", "state.db-wal", "state.db-shm", "state.log", EpochRecord.fileName, damagedMark]

    /// There while SQLite has said, since the last start, that its file is damaged.
    static let damagedMark = "state.damaged"

    /// Whether a directory of segments holds bytes, or speaks of some.
    static func hasSegments(_ directory: String) -> Bool {
        let names = (try? Paths.names(in: directory)) ?? []
        return names.contains { $0.hasSuffix(".seg") || $0.hasPrefix("staging.log") }
    }

    /// What is missing of a store that was once in use: to go on without it would forget what is not on the server.
    static func missingPart(of directory: String) throws(Errno) -> String? {
        let hasSegments = hasSegments(directory + "/segments")
        let record = try EpochRecord.read(in: directory)
        let databaseBytes = (try? OpenFile(path: directory + "/state.db", .readOnly).size()) ?? 0
        if databaseBytes == 0 { return hasSegments || record != nil ? "state.db is gone or empty" : nil }
        // Without it nothing says what of the rest was on the disk when the machine went down.
        return record == nil && hasSegments ? "\(EpochRecord.fileName) is gone or unreadable" : nil
    }
}
