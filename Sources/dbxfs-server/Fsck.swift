import ArgumentParser
import DbxModel
import DbxServerCore
import DbxServerHTTP

struct Fsck: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the database, all rows and every stored block, while the server runs.",
        discussion: """
            Reads every block. --repair needs the server stopped; it mends what can be mended and deletes nothing that a \
            person made. Exit code 0 when nothing is wrong, or nothing is left; 5 when something is.
            """)

    @Flag(help: "Mend what can be mended, and say what was done.")
    var repair = false

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var options: DataOptions

    func run() throws {
        let lock = try repair ? DataDirectoryLock(dataDirectory: options.configuration().data) : nil
        let server = try options.openServer()
        let report = try withExtendedLifetime(lock) { try repair ? server.repair() : server.check() }
        if json { try printJSON(report) } else { show(report) }
        if !report.isSound { throw ServerError(.data, remedy(for: report)) }
    }

    private func show(_ report: CheckReport) {
        for repair in report.repairs { print("repaired  \(repair)") }
        for problem in report.problems { print("wrong  \(problem)") }
        for problem in report.beyondRepair { print("beyond repair  \(problem)") }
        for file in report.unreadableFiles { print("unreadable  \(file)") }
        for object in report.unknownObjects { print("unknown object  \(object)") }
        for file in report.foreignFiles { print("foreign file  \(file)") }
        print("Checked \(report.blocks) blocks, \(ByteCount.format(report.bytes)).")
    }

    private func remedy(for report: CheckReport) -> String {
        if !report.beyondRepair.isEmpty {
            return "The data are damaged beyond repair: restore them from a backup with 'dbxfs-server restore'."
        }
        if !report.problems.isEmpty && !repair {
            return "The data are damaged: stop the server and run 'dbxfs-server fsck --repair'."
        }
        return """
            Files have lost bytes. Put the objects named above back into blocks/objects from a backup and run \
            'dbxfs-server fsck --repair', or copy the files in again from a device that has them.
            """
    }
}
