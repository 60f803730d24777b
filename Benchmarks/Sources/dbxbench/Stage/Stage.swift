import Foundation

/// A directory on one of the file systems under comparison.
struct Subject {
    let name: String
    let directory: String
}

/// Everything that is compared, set up in a fresh directory that goes away with it.
///
/// Sendable because the one other thread that touches it, that of an interrupt, only tears it down before the program ends.
final class Stage: @unchecked Sendable {
    let subjects: [Subject]
    let root: String
    private let options: Options
    private let null: NullMount?
    let dbxfs: DbxPair?
    /// Other programs that were asked for.
    let peers: [PeerPair.Program]
    /// Guards `isDown`: an interrupt may tear down while the run does.
    private let lock = NSLock()
    private var isDown = false

    init(_ options: Options) throws {
        self.options = options
        root = "\(options.directory)/dbxbench-\(getpid())"
        var subjects: [Subject] = []
        if options.wants(subject: "dbxfs") {
            dbxfs = DbxPair(root: root + "/dbxfs", programs: options.programs)
            subjects.append(Subject(name: "dbxfs", directory: dbxfs!.first.mountPoint))
        } else {
            dbxfs = nil
        }
        if options.wants(subject: "null") {
            let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
            null = NullMount(root: root + "/null", program: options.nullFS ?? beside + "/null-fs")
            subjects.append(Subject(name: "null", directory: root + "/null/mount"))
        } else {
            null = nil
        }
        if options.wants(subject: "local") { subjects.append(Subject(name: "local", directory: root + "/local")) }
        self.subjects = subjects
        peers = PeerPair.Program.allCases.filter { options.only.contains($0.rawValue) }
        if let missing = peers.first(where: { !PeerPair.isInstalled($0) }) {
            throw Failure("\(missing) is not installed: apt-get install rsync restic rclone")
        }
    }

    func setUp() throws {
        note("setting up in \(root)")
        try makeDirectory(root)
        try makeDirectory(root + "/local")
        try null?.start()
        try dbxfs?.start()
    }

    func tearDown() {
        lock.lock()
        defer { lock.unlock() }
        if isDown { return }
        isDown = true
        dbxfs?.stop()
        null?.stop()
        try? FileManager.default.removeItem(atPath: root)
    }

    /// A repository to clone, made at first use.
    func repository(files: Int) throws -> String {
        let path = root + "/repository"
        if FileManager.default.fileExists(atPath: path) { return path }
        try Repository.make(at: path, files: files)
        return path
    }
}

/// The null file system over a directory on the local disk.
final class NullMount {
    private let root: String
    private let program: String
    private var process: Child?

    init(root: String, program: String) {
        self.root = root
        self.program = program
    }

    func start() throws {
        for name in ["", "/source", "/mount"] { try makeDirectory(root + name) }
        process = try Command.start([program, root + "/source", root + "/mount"]).child
        try waitUntilMounted(root + "/mount", seconds: 10)
    }

    func stop() {
        guard let process else { return }
        // The end of the mount alone would not end it while another mount namespace has a copy, and its own unmount
        // may meet somebody who looks at the mount at that moment.
        process.end()
        unmount(root + "/mount")
    }
}

/// Unmounts, lazily if need be.
func unmount(_ directory: String) {
    let words = geteuid() == 0 ? ["umount"] : ["fusermount3", "-u"]
    if (try? Command.run(words + [directory])) != nil { return }
    _ = try? Command.run(words + [geteuid() == 0 ? "-l" : "-z", directory])
}

func waitUntilMounted(_ directory: String, seconds: Double) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        if mounts.contains(" \(directory) ") { return }
        usleep(5000)
    }
    throw Failure("nothing was mounted on \(directory)")
}

func makeDirectory(_ path: String) throws {
    guard mkdir(path, 0o755) == 0 else { throw Failure("mkdir \(path): \(String(cString: strerror(errno)))") }
}
