import ArgumentParser
import DbxServerCore
import DbxServerHTTP

@main
struct DbxServer: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "dbxfs-server",
        abstract: "Keeps the trees and blocks of dbxfs.",
        discussion: """
            'dbxfs-server serve' runs the server; every other command also works while it runs. Exit codes: 0 done, \
            1 failed, 2 wrong usage or configuration, 3 not found, 4 exists already, 5 key file or data unusable, \
            6 storage full (docs/OPERATIONS.md).
            """,
        subcommands: [
            Serve.self, User.self, Status.self, Backup.self, Restore.self, Fsck.self, ShowFingerprint.self,
            ShowConfiguration.self,
            Version.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot(nil)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            Exit.end(for: error)
        }
    }
}

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() { print("dbxfs-server \(DbxServer.version)") }
}
