import Foundation
import Glibc

/// One computer of a user, as far as dbxfs sees it: XDG homes of its own, a mount point, and the real `dbxfs` binary.
///
/// Ends with the object at the latest: the mount is detached, the daemon killed, the homes removed. Used by one test at
/// a time.
package final class MountedClient {
    package let name: String
    /// Holds the XDG homes and the mount point.
    package let home: String
    /// Goes with this object, after its mount.
    private let directory = TemporaryDirectory()
    package let mountPoint: String
    package let user: String
    package let server: ServerProcess
    /// Put before every command, to run it as somebody else.
    private let prefix: [String]
    private let binary: String
    /// Added to the environment of every command.
    package var extraEnvironment: [String: String] = [:]

    package static let password = "correct horse battery"

    /// Logs a new computer in to an account that exists.
    package static func loggedIn(
        to server: ServerProcess, user: String = "ann", name: String, prefix: [String] = [], binary: String? = nil
    ) throws -> MountedClient {
        let client = try MountedClient(server: server, user: user, name: name, prefix: prefix, binary: binary)
        let output = try client.login()
        guard output.code == 0 else { throw Shell.Failure(description: "login: \(output.text)") }
        return client
    }

    /// A logged-in computer with its mount.
    package static func mounted(
        on server: ServerProcess, user: String = "ann", name: String, options: [String] = []
    ) throws -> MountedClient {
        let client = try loggedIn(to: server, user: user, name: name)
        try client.mount(options)
        return client
    }

    package init(
        server: ServerProcess, user: String = "ann", name: String, prefix: [String] = [], binary: String? = nil
    ) throws {
        home = directory.path
        mountPoint = home + "/Dropbox"
        self.server = server
        self.user = user
        self.name = name
        self.prefix = prefix
        self.binary = binary ?? ServerProcess.productsDirectory + "/dbxfs"
        for directory in ["/Dropbox", "/run"] {
            try FileManager.default.createDirectory(atPath: home + directory, withIntermediateDirectories: true)
        }
        if !prefix.isEmpty { _ = try Shell.script("chmod 0777 \(home) \(home)/*") }
    }

    deinit {
        _ = try? Shell.run(["fusermount3", "-u", "-z", mountPoint])
        if let pid = daemonPID { Glibc.kill(pid, SIGKILL) }
    }

    package var environment: [String: String] {
        [
            "HOME": home, "XDG_CONFIG_HOME": home + "/config", "XDG_DATA_HOME": home + "/data",
            "XDG_STATE_HOME": home + "/state", "XDG_RUNTIME_DIR": home + "/run",
        ].merging(extraEnvironment) { $1 }
    }

    /// Runs `dbxfs` with these arguments.
    package func run(_ arguments: [String], input: String = "", limitSeconds: Int = 120) throws -> Shell.Output {
        try Shell.run(
            prefix + [binary] + arguments, environment: environment, input: input, limitSeconds: limitSeconds)
    }

    /// Runs `dbxfs` and throws unless it succeeds.
    @discardableResult
    package func succeed(_ arguments: [String], input: String = "", limitSeconds: Int = 120) throws -> String {
        let output = try run(arguments, input: input, limitSeconds: limitSeconds)
        guard output.code == 0 else {
            throw Shell.Failure(
                description:
                    "dbxfs \(arguments.joined(separator: " ")): exit code \(output.code)\n\(output.text)\n\(log)")
        }
        return output.text
    }

    package func login(password: String = password, url: String? = nil, options: [String] = []) throws -> Shell.Output {
        try run(
            ["login", url ?? server.url, "--user", user, "--device", name, "--password-stdin"] + options,
            input: password + "\n")
    }

    package func mount(_ options: [String] = []) throws { try succeed(["mount", mountPoint] + options) }
    package func unmount(wait: Bool = false) throws { try succeed(["umount", mountPoint] + (wait ? ["--wait"] : [])) }
    /// Everything here is on the server when it returns.
    package func sync() throws { try succeed(["sync", mountPoint]) }

    /// Runs a bash script inside the mount.
    @discardableResult
    package func script(_ text: String, limitSeconds: Int = 120) throws -> String {
        try Shell.script(text, in: mountPoint, environment: environment, limitSeconds: limitSeconds)
    }

    package func path(_ relative: String) -> String { mountPoint + "/" + relative }

    package var log: String { (try? String(contentsOfFile: home + "/state/dbxfs/default/log", encoding: .utf8)) ?? "" }
    package var dataDirectory: String { home + "/data/dbxfs/default" }

    /// As the lock file names it; nil where nothing was mounted yet.
    package var daemonPID: Int32? {
        guard let data = FileManager.default.contents(atPath: dataDirectory + "/daemon.lock"),
            let holder = try? JSONDecoder().decode(Holder.self, from: data), holder.mountPoint != nil,
            let executable = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(holder.processID)/exe"),
            executable.hasSuffix("/" + (binary as NSString).lastPathComponent)
        else { return nil }
        return holder.processID
    }

    private struct Holder: Decodable {
        var processID: Int32
        var mountPoint: String?
    }

    /// Ends the daemon at once, as a crash would, and takes the dead mount away.
    package func crash() throws {
        guard let pid = daemonPID else { throw Shell.Failure(description: "there is no daemon to kill") }
        Glibc.kill(pid, SIGKILL)
        try Shell.eventually("the killed daemon is gone") { Glibc.kill(pid, 0) != 0 }
        _ = try Shell.run(["fusermount3", "-u", "-z", mountPoint])
    }

    /// Removes everything that the computer knows, login included.
    package func wipe() throws {
        for part in ["config", "data", "state"] where FileManager.default.fileExists(atPath: "\(home)/\(part)") {
            try FileManager.default.removeItem(atPath: "\(home)/\(part)")
        }
    }

    /// The part of `dbxfs status --json` that tests read.
    package struct Status: Decodable, Sendable {
        package struct Connection: Decodable, Sendable {
            package var state: String
            package var detail: String?
        }
        package struct Pending: Decodable, Sendable {
            package var files: Int64
            package var bytes: Int64
        }
        package struct Counters: Decodable, Sendable {
            package var fuse: [String: Int64]
            package var invalidations: [String: Int64]
            package var requests: Int64
            package var fetchedBlocks: Int64
            package var fetchedBytes: Int64
            package var uploadedBlocks: Int64
            package var uploadedBytes: Int64
            package var commits: Int64
            package var commitRows: [String: Int64]
            package var pulls: Int64
            package var changeEvents: [String: Int64]
            package var heldWrites: Int64

            package func fuse(_ kind: String) -> Int64 { fuse[kind] ?? 0 }
            package func rows(_ kind: String) -> Int64 { commitRows[kind] ?? 0 }
            package var allInvalidations: Int64 { invalidations.values.reduce(0, +) }
        }
        package struct Tree: Decodable, Sendable {
            package var entries: Int
            package var isReading: Bool
            package var isComplete: Bool
        }

        package struct LostVersion: Decodable, Sendable { package var path: String }

        package var mountPoint: String
        package var tree: Tree
        package var lostVersions: [LostVersion]
        package var connection: Connection
        package var pending: Pending
        package var counters: Counters
    }

    package func status() throws -> Status {
        let output = try succeed(["status", "--json", mountPoint])
        return try JSONDecoder().decode(Status.self, from: Data(output.utf8))
    }

    package func counters() throws -> Status.Counters { try status().counters }

    /// Waits until it knows all folders of the account.
    package func waitForTree() throws {
        try Shell.eventually("\(name) knows the whole tree", withinSeconds: 60) { try status().tree.isComplete }
    }

    /// Waits until the daemon says so; `offline` and `connected` are the usual ones.
    package func waitFor(connection state: String) throws {
        try Shell.eventually("\(name) is \(state)") { try status().connection.state == state }
    }
}
