import DbxModel
import ArgumentParser
import DbxServerCore
import DbxServerHTTP

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what the server holds.")

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var options: DataOptions

    func run() throws {
        let status = try options.openServer().status()
        if json { return try printJSON(status) }
        print(
            """
            users    \(status.users), with \(status.devices) devices
            nodes    \(status.nodes)
            live     \(ByteCount.format(status.liveBytes)) in \(status.liveBlocks) blocks that current content refers to
            stored   \(ByteCount.format(status.storedBytes)) in \(status.storedBlocks) blocks
            free     \(ByteCount.format(status.freeBytes)) on the disk
            """)
    }
}

struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy all data to a directory, while the server runs.",
        discussion: "The key file is not copied unless --include-key says so: who has both reads everything.")

    @Argument(help: "The directory; must be empty or not there yet.")
    var directory: String

    @Flag(help: "Copy the key file too.")
    var includeKey = false

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var options: DataOptions

    func run() throws {
        let report = try options.openServer().backup(to: directory, includeKey: includeKey)
        if json { return try printJSON(report) }
        print("Copied the database and \(report.objects) objects, \(ByteCount.format(report.bytes)), to \(directory).")
        print(
            report.keyIncluded
                ? "The key file is in it: keep the backup as secret as the data."
                : "Without the key file nobody can read it. Keep a copy elsewhere of: \(report.keyFile)")
    }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fill an empty data directory from a backup.",
        discussion: "Every client then lists its tree again and offers what the backup does not have.")

    @Argument(help: "The directory that 'backup' filled.")
    var directory: String

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var options: DataOptions

    func run() throws {
        let report = try Server.restore(from: directory, try options.coreConfiguration())
        if json { return try printJSON(report) }
        print("Restored the database and \(report.objects) objects, \(ByteCount.format(report.bytes)).")
        if report.missingBlocks > 0 {
            print(
                "\(report.missingBlocks) blocks are not in the backup: the files that need them cannot be read there.")
        }
    }
}
