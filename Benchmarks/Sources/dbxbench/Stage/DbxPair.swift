import Foundation

/// A server on loopback and two devices of one account. The second is mounted only where a figure needs it.
final class DbxPair {
    let first: DbxDevice
    let second: DbxDevice
    let root: String
    private let programs: String
    private(set) var server: Child?
    private(set) var url = ""
    static let user = "bench"
    static let password = "a password for the benchmark only"

    init(root: String, programs: String) {
        self.root = root
        self.programs = programs
        first = DbxDevice(name: "first", root: root + "/first", program: programs + "/dbxfs")
        second = DbxDevice(name: "second", root: root + "/second", program: programs + "/dbxfs")
    }

    /// One more device, not logged in.
    func device(_ name: String) -> DbxDevice {
        DbxDevice(name: name, root: "\(root)/\(name)", program: programs + "/dbxfs")
    }

    func start() throws {
        try makeDirectory(root)
        let program = programs + "/dbxfs-server"
        let data = root + "/server"
        let (child, output) = try Command.start(
            [program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error"])
        server = child
        url = try Self.address(output)
        try Command.run(
            [program, "user", "add", Self.user, "--password-stdin", "--data", data], input: Self.password + "\n")
        try first.logIn(url)
        try first.mount()
        try second.logIn(url)
    }

    /// The server's first line is "listening on URL".
    private static func address(_ output: Scratch) throws -> String {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            if let line = output.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().first {
                guard let start = line.range(of: "http") else { throw Failure("the server said: \(line)") }
                return line[start.lowerBound...].trimmingCharacters(in: .whitespaces)
            }
            usleep(10_000)
        }
        throw Failure("the server does not listen")
    }

    func stop() {
        second.unmount()
        first.unmount()
        server?.end()
    }
}

/// One device: a profile in XDG directories of its own, and its mount.
final class DbxDevice {
    let name: String
    let mountPoint: String
    private let root: String
    private let program: String
    private(set) var isMounted = false

    init(name: String, root: String, program: String) {
        self.name = name
        self.root = root
        self.program = program
        mountPoint = root + "/mount"
    }

    private var environment: [String: String] {
        [
            "HOME": root, "XDG_CONFIG_HOME": root + "/config", "XDG_DATA_HOME": root + "/data",
            "XDG_STATE_HOME": root + "/state", "XDG_CACHE_HOME": root + "/cache", "XDG_RUNTIME_DIR": root + "/run",
        ]
    }

    @discardableResult
    private func dbxfs(_ words: String..., input: String = "", seconds: Double = 60) throws -> String {
        try Command.run([program] + words, input: input, environment: environment, seconds: seconds)
    }

    func logIn(_ url: String) throws {
        for part in ["", "/config", "/data", "/state", "/cache", "/run", "/mount"] { try makeDirectory(root + part) }
        chmod(root + "/run", 0o700)
        try dbxfs(
            "login", url, "--user", DbxPair.user, "--password-stdin", "--device", name,
            input: DbxPair.password + "\n")
    }

    func mount() throws {
        if isMounted { return }
        try dbxfs("mount", mountPoint)
        try waitUntilMounted(mountPoint, seconds: 10)
        isMounted = true
    }

    /// Returns when everything here is on the server.
    func synchronize(seconds: Double = 120) throws { try dbxfs("sync", mountPoint, seconds: seconds) }

    /// What `dbxfs status` knows.
    func status() throws -> Status {
        try JSONDecoder().decode(Status.self, from: Data(dbxfs("status", "--json", mountPoint).utf8))
    }

    struct Status: Decodable {
        struct Tree: Decodable {
            var isComplete: Bool
        }
        var processID: Int32
        var tree: Tree
    }

    func unmount() {
        guard isMounted else { return }
        isMounted = false
        if (try? dbxfs("umount", mountPoint, seconds: 30)) == nil { dbxbench.unmount(mountPoint) }
    }
}
