import Foundation

/// Two computers that keep the same files by way of a server, and what passes between each of them and it.
protocol WirePair {
    var name: String { get }
    /// Where the first one works, and where the second one has what it receives.
    var here: String { get }
    var there: String { get }
    /// Of the first and of the second.
    var relays: [Relay] { get }
    /// Returns when everything here is on the server.
    func send() throws
    /// Returns when the second computer has all of the file as it is here.
    func receive(_ file: String) throws
    /// Returns when the second computer has read, or copied, this many files of a directory.
    func receive(directory: String, files: Int) throws
    /// What runs as long as the pair.
    var processes: [pid_t] { get throws }
    func end()
}

extension WirePair {
    /// Bytes both ways of each computer so far.
    var passed: [Int] { relays.map { $0.count.up + $0.count.down } }

    /// Seconds that it, and everything that it ran and that has ended, has used of all cores.
    var processorTime: Double {
        get throws {
            // A daemon of rsync has a process for each connection, which ends a moment after it.
            usleep(300_000)
            var ended = rusage()
            getrusage(RUSAGE_CHILDREN.rawValue, &ended)
            let own = [ended.ru_utime, ended.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
            return try processes.reduce(own) { try $0 + Self.processorTime(of: $1) }
        }
    }

    /// With its children that have ended (proc_pid_stat(5), fields 14 to 17).
    private static func processorTime(of process: pid_t) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 15 else { throw Failure("/proc/PID/stat: \(text)") }
        return fields[12...15].reduce(0) { $0 + (Double($1) ?? 0) } / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// Two mounts of one account.
struct DbxWirePair: WirePair {
    let name = "dbxfs"
    let relays: [Relay]
    private let devices: [DbxDevice]
    private let server: pid_t

    /// `workload`: the devices bear its name.
    init(_ pair: DbxPair, _ workload: String) throws {
        guard let port = pair.url.split(separator: ":").last.flatMap({ UInt16($0) }) else { throw Failure(pair.url) }
        relays = [try Relay(to: port), try Relay(to: port)]
        guard let server = pair.server else { throw Failure("the server does not run") }
        self.server = server.number
        devices = (0..<2).map { pair.device("\(workload)\($0)") }
        for (device, relay) in zip(devices, relays) {
            try device.logIn("http://127.0.0.1:\(relay.port)")
            try device.mount()
        }
    }

    var here: String { devices[0].mountPoint }
    var there: String { devices[1].mountPoint }
    func send() throws { try devices[0].synchronize() }
    func end() { for device in devices.reversed() { device.unmount() } }

    func receive(_ file: String) throws {
        let wanted = try Data(contentsOf: URL(fileURLWithPath: here + "/" + file))
        let deadline = ContinuousClock.now + .seconds(120)
        while (try? Data(contentsOf: URL(fileURLWithPath: there + "/" + file))) != wanted {
            guard ContinuousClock.now < deadline else { throw Failure("\(file) does not arrive") }
            usleep(50_000)
        }
    }

    func receive(directory: String, files: Int) throws {
        let place = "\(there)/\(directory)"
        try DbxFigures.waitUntil(seconds: 120, "\(place) has all its files") {
            (try? FileManager.default.contentsOfDirectory(atPath: place).count) == files
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        for index in 0..<files {
            let (here, there) = ("\(here)/\(directory)/\(index)", "\(place)/\(index)")
            try DbxFigures.waitUntil(seconds: 120, "\(there) has its content") {
                DbxFigures.size(of: there) == DbxFigures.size(of: here)
            }
            let file = try File.open(there, O_RDONLY)
            defer { close(file) }
            var total = 0
            while case let count = read(file, &buffer, buffer.count), count > 0 { total += count }
            guard total == DbxFigures.size(of: here) else { throw File.error("read", there) }
        }
    }

    var processes: [pid_t] {
        get throws { try devices.map { try $0.status().processID } + [server] }
    }
}

/// Two directories that another program copies to a server of its own, and from there: each time somebody asks for it.
struct PeerPair: WirePair {
    enum Program: String, CaseIterable {
        case rsync, restic, rclone
    }

    static let workloads = ["wire", "sizes"]

    let relays: [Relay]
    let here: String
    let there: String
    private let program: Program
    private let root: String
    private let server: Child

    var name: String { program.rawValue }

    /// Programs of the system; restic's server is rclone's.
    static func isInstalled(_ program: Program) -> Bool {
        let needed: Set = [program.rawValue, program == .rsync ? "rsync" : "rclone"]
        return needed.allSatisfy { FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)") }
    }

    init(_ program: Program, root: String) throws {
        self.program = program
        self.root = root
        (here, there) = (root + "/here", root + "/there")
        for directory in [root, root + "/server", here, there] { try makeDirectory(directory) }
        let port = try Relay.freePort()
        server = try Command.start(Self.serverWords(program, root, port)).child
        relays = [try Relay(to: port), try Relay(to: port)]
        try Relay.awaitListener(port)
        if program == .restic { try restic(relays[0], ["init"]) }
    }

    func end() { server.end() }

    var processes: [pid_t] { [server.number] }

    func receive(directory: String, files: Int) throws { try receive("\(directory)/\(files - 1)") }

    private static func serverWords(_ program: Program, _ root: String, _ port: UInt16) throws -> [String] {
        switch program {
        case .rsync:
            // Of root it would be nobody's.
            let owner = geteuid() == 0 ? "uid = 0\ngid = 0\n" : ""
            let settings = "use chroot = no\n\(owner)[files]\npath = \(root)/server\nread only = no\n"
            try File.write(Array(settings.utf8), to: root + "/rsyncd.conf")
            return [
                "rsync", "--daemon", "--no-detach", "--address", "127.0.0.1", "--port", "\(port)", "--config",
                root + "/rsyncd.conf",
            ]
        case .restic: return ["rclone", "serve", "restic", "-q", "--addr", "127.0.0.1:\(port)", root + "/server"]
        // Its WebDAV knows no times, and would take a file of the same size for the same.
        case .rclone:
            return [
                "rclone", "serve", "sftp", "-q", "--addr", "127.0.0.1:\(port)", "--user", DbxPair.user, "--pass",
                DbxPair.password, root + "/server",
            ]
        }
    }

    func send() throws {
        switch program {
        case .rsync: try rsync(here + "/", remote(relays[0]))
        case .restic: try restic(relays[0], ["backup", "."], in: here)
        case .rclone: try rclone(relays[0], ["sync", here, ":sftp:"])
        }
    }

    func receive(_ file: String) throws {
        switch program {
        case .rsync: try rsync(remote(relays[1]), there + "/")
        // It brings whole files whatever is there, so no more than was asked for.
        case .restic:
            let asked = file.split(separator: "/")[0]
            try restic(relays[1], ["restore", "latest", "--include", "/\(asked)", "--target", there])
        case .rclone: try rclone(relays[1], ["sync", ":sftp:", there])
        }
        guard FileManager.default.contentsEqual(atPath: here + "/" + file, andPath: there + "/" + file) else {
            throw Failure("\(name): \(file) has not arrived")
        }
    }

    private func remote(_ relay: Relay) -> String { "rsync://127.0.0.1:\(relay.port)/files/" }

    private func rsync(_ source: String, _ target: String) throws {
        try Command.run(["rsync", "-az", "--delete", source, target], seconds: 300)
    }

    private func rclone(_ relay: Relay, _ words: [String]) throws {
        let password = try Command.run(["rclone", "obscure", DbxPair.password]).trimmingCharacters(in: .newlines)
        let address = [
            "--sftp-host", "127.0.0.1", "--sftp-port", "\(relay.port)", "--sftp-user", DbxPair.user, "--sftp-pass", password,
        ]
        try Command.run(["rclone", "-q", "--config", root + "/rclone.conf"] + words + address, seconds: 300)
    }

    private func restic(_ relay: Relay, _ words: [String], in directory: String = "/") throws {
        let options = ["--repo", "rest:http://127.0.0.1:\(relay.port)/", "--cache-dir", "\(root)/cache\(relay.port)", "-q"]
        try Command.run(
            ["env", "-C", directory, "restic"] + words + options,
            environment: ["RESTIC_PASSWORD": DbxPair.password], seconds: 300)
    }
}
