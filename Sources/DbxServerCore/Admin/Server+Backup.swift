import DbxModel
import DbxServerStores
import DbxSystem

/// A backup is a directory with `metadata.db`, `blocks/` in the form of a directory store and, only where asked for,
/// `master.key`.
extension Server {
    /// Online: rows first, then the blocks, so that every block that the rows name is there. `directory` must not exist
    /// or be empty. The key file is copied only where `includeKey` asks for it.
    package func backup(to directory: String, includeKey: Bool) throws(ServerError) -> BackupReport {
        try Self.administering {
            try Self.makeEmptyDirectory(directory)
            guard includeKey || !Self.lies(configuration.keyFile, in: directory) else {
                throw ServerError(
                    .keyFile, "The key file \(configuration.keyFile) would lie in the backup: choose another place.")
            }
            try metadata.backup(to: directory + "/metadata.db")
            let totals = try objects.export(to: directory + "/blocks")
            try Self.onDisk(directory) { () throws(Errno) in
                if includeKey { try Paths.copy(configuration.keyFile, to: directory + "/master.key") }
                try OpenFile(path: directory + "/metadata.db", .readOnly).sync()
                try Paths.syncDirectory(directory)
            }
            return BackupReport(
                objects: totals.objects, bytes: totals.bytes, keyFile: configuration.keyFile, keyIncluded: includeKey)
        }
    }

    /// Fills an empty data directory from a backup and starts a new epoch, so that every client lists again. The key
    /// comes from `configuration.keyFile`, or from the backup where it holds it.
    package static func restore(
        from directory: String, _ configuration: ServerConfiguration
    ) throws(ServerError) -> RestoreReport {
        try administering {
            guard Paths.exists(directory + "/metadata.db"), Paths.isDirectory(directory + "/blocks") else {
                throw ServerError(.data, "\(directory) is no backup of dbxfs-server.")
            }
            guard !Paths.exists(configuration.metadataFile) else {
                throw ServerError(.alreadyExists, "\(configuration.dataDirectory) holds data: restore into another.")
            }
            try onDisk(configuration.dataDirectory) { () throws(Errno) in
                try Paths.createPrivateDirectory(configuration.dataDirectory)
            }
            try restoreKey(from: directory, configuration)
            let totals = try DirectoryObjectStore(root: directory + "/blocks")
                .export(to: configuration.blocksDirectory)
            // Last: a data directory without it holds no data, and the restore can be run again.
            try restoreMetadata(from: directory, configuration)
            let server = try open(configuration)
            return RestoreReport(
                objects: totals.objects, bytes: totals.bytes, missingBlocks: try server.missingBlocks())
        }
    }

    private static func restoreKey(from directory: String, _ configuration: ServerConfiguration) throws {
        if Paths.exists(configuration.keyFile) { return }
        let saved = directory + "/master.key"
        guard Paths.exists(saved) else {
            throw ServerError(
                .keyFile,
                "The key file \(configuration.keyFile) is missing and the backup does not hold it: put it there first.")
        }
        try onDisk(configuration.keyFile) { () throws(Errno) in try Paths.copy(saved, to: configuration.keyFile) }
    }

    private static func restoreMetadata(from directory: String, _ configuration: ServerConfiguration) throws {
        let temporary = configuration.dataDirectory + "/restoring.db"
        try onDisk(configuration.dataDirectory) { () throws(Errno) in
            for suffix in ["", "-wal", "-shm"] where Paths.exists(temporary + suffix) {
                try Paths.remove(temporary + suffix)
            }
            try Paths.copy(directory + "/metadata.db", to: temporary)
        }
        let epoch = configuration.entropy.bytes(16)
        // A copy by the database's own means holds no part of a log beside it.
        let metadata = try SQLMetadataStore(sqliteFile: temporary)
        try metadata.write { try $0.startEpoch(epoch) }
        let whole = configuration.dataDirectory + "/restored.db"
        if Paths.exists(whole) { try onDisk(whole) { () throws(Errno) in try Paths.remove(whole) } }
        try metadata.backup(to: whole)
        try onDisk(configuration.dataDirectory) { () throws(Errno) in
            try OpenFile(path: whole, .readOnly).sync()
            try Paths.rename(whole, to: configuration.metadataFile)
            for suffix in ["", "-wal", "-shm"] where Paths.exists(temporary + suffix) {
                try Paths.remove(temporary + suffix)
            }
            try Paths.syncDirectory(configuration.dataDirectory)
        }
    }

    /// How many blocks have a row and neither a whole object nor a body.
    private func missingBlocks() throws -> Int {
        var missing = 0
        var last: BlockID?
        while true {
            let page = try metadata.read { try $0.blocks(after: last, limit: 1_000) }
            guard let end = page.last?.id else { return missing }
            for block in page {
                let location = try metadata.read { try BlockLocation(of: block, $0) }
                if try location.open(block, in: objects)?.length != block.storedBytes { missing += 1 }
            }
            last = end
        }
    }

    private static func makeEmptyDirectory(_ directory: String) throws {
        try onDisk(directory) { () throws(Errno) in try Paths.createPrivateDirectory(directory) }
        let names = try onDisk(directory) { () throws(Errno) in try Paths.names(in: directory) }
        guard names.isEmpty else {
            throw ServerError(.alreadyExists, "\(directory) is not empty: name a new directory.")
        }
    }

    private static func lies(_ file: String, in directory: String) -> Bool {
        file.hasPrefix(directory.hasSuffix("/") ? directory : directory + "/")
    }

    private static func onDisk<Result>(
        _ path: String, _ body: () throws(Errno) -> Result
    ) throws(ServerError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw ServerError(error == .noSpace ? .storageFull : .data, "\(path): \(error).")
        }
    }
}
