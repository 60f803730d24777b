import DbxSystem

/// Programs that read files although nobody wants to see them now: thumbnailers, indexers, scanners. Their reads fetch
/// nothing, or the first look at a folder would download it.
package struct IdleReaders: Hashable, Sendable {
    /// What the kernel calls a program has no more bytes.
    private static let nameBytes = 15

    /// Of common desktops, search programs, virus scanners and backups.
    package static let usual = IdleReaders([
        "tumblerd", "gdk-pixbuf-thumbnailer", "totem-video-thumbnailer", "ffmpegthumbnailer", "evince-thumbnailer",
        "papers-thumbnailer", "gnome-thumbnail-font", "gsf-office-thumbnailer", "glycin-thumbnailer",
        "tracker-miner-fs-3", "tracker-extract-3", "tracker-extract", "tracker-miner-f", "localsearch-3",
        "localsearch-extractor-3", "baloo_file", "baloo_file_extractor", "recollindex", "clamscan", "clamd",
        "clamonacc",
        "borg", "restic", "duplicity", "kopia", "rsnapshot",
    ])

    private let names: Set<String>

    package init(_ names: [String]) {
        self.names = Set(names.map { String(decoding: $0.utf8.prefix(Self.nameBytes), as: UTF8.self) })
    }

    func contains(thread: Int32) -> Bool {
        if names.isEmpty { return false }
        return ProcessName.ofThread(thread).map(names.contains) ?? false
    }
}
