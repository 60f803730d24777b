import DbxSystem

/// Where the files of an open store lie. What was deleted below it can still be read and written, for it is open, but
/// nothing of that will be found again. A value, usable without the store's lock.
struct StorePlaces: Sendable {
    private let files: [String: FileIdentity]
    private let segments: SegmentFiles

    /// Of a store that has just been opened.
    init(of directory: String, _ segments: SegmentFiles) {
        let paths = ["state.db", "state.log", "segments"].map { "\(directory)/\($0)" }
        files = Dictionary(
            uniqueKeysWithValues: paths.compactMap { path in Paths.identity(of: path).map { (path, $0) } })
        self.segments = segments
    }

    /// Whether a part of the store has been deleted, moved away or replaced since.
    var areLost: Bool { files.contains { Paths.identity(of: $0.key) != $0.value } || segments.hasLostNames }
}
