import Foundation

/// A device behind a link, beside curl behind the same one.
struct LinkFigures {
    private let pair: DbxPair
    private let effort: Effort
    private let link: Link
    private let relay: Relay
    private let device: DbxDevice
    /// What the link takes two or three seconds for.
    private let fileBytes: Int

    static func run(_ pair: DbxPair, _ effort: Effort, over link: Link) throws -> [Figure] {
        let figures = try LinkFigures(pair, effort, link)
        defer { figures.device.unmount() }
        return try figures.all()
    }

    private init(_ pair: DbxPair, _ effort: Effort, _ link: Link) throws {
        guard let port = pair.url.split(separator: ":").last.flatMap({ UInt16($0) }) else { throw Failure(pair.url) }
        self.pair = pair
        self.effort = effort
        self.link = link
        relay = try Relay(to: port, over: link)
        device = pair.device("link" + link.name)
        fileBytes = min(effort.fileBytes, (Int(link.bytesPerSecond * 2.5) >> 20) << 20)
        try device.logIn(url)
    }

    private var url: String { "http://127.0.0.1:\(relay.port)" }
    private var here: String { pair.first.mountPoint + "/link" + link.name }
    private var there: String { device.mountPoint + "/link" + link.name }

    private func all() throws -> [Figure] {
        let entries = effort.rounds == 1 ? 10_000 : 100_000
        try prepare(entries: entries)
        // On a computer of its own the other device would take nothing from this one, whatever it is told of.
        pair.first.unmount()
        try device.mount()
        let listing = try time { try Command.run(["ls", "-l", there + "/many"], seconds: 300) }
        let small = try time { try Command.run(["tar", "-cf", pair.root + "/small.tar", "-C", there, "small"], seconds: 300) }
        let (random, amplification) = try randomReads()
        DbxFigures.touchMemory(bytes: 4 * fileBytes)
        let cold = try time { try Command.run(["dd", "if=\(there)/large", "of=/dev/null", "bs=1M"], seconds: 300) }
        let curl = try CurlBaseline.measure(pair, bytes: fileBytes, at: url)
        let durable = try time {
            try makeDirectory(there + "/durable")
            var random = Random(seed: UInt64(61 + fileBytes))
            for index in 0..<effort.files { try File.write(random.bytes(4096), to: "\(there)/durable/\(index)") }
            try device.synchronize()
        }
        let upload = try time {
            var random = Random(seed: UInt64(67 + fileBytes))
            try File.write(random.bytes(fileBytes), to: there + "/up")
            try device.synchronize()
        }
        let megabytes = Double(fileBytes) / 1e6
        return [
            figure("ls -l of \(entries) entries, first", .seconds, listing),
            figure("4 KiB files read, cold", .operations, Double(effort.files) / small),
            figure("4 KiB at a random place, cold", .milliseconds, random * 1000),
            figure("4 KiB at a random place, fetched", .ratio, amplification),
            figure("cold sequential read", .megabytes, megabytes / cold),
            figure("the same blocks with curl", .megabytes, curl),
            figure("4 KiB files durable on the server", .operations, Double(effort.files) / durable),
            figure("upload of one file", .megabytes, megabytes / upload),
        ]
    }

    private func figure(_ name: String, _ unit: Figure.Unit, _ value: Double) -> Figure {
        Figure(name: "\(link.name): \(name)", unit: unit, value: value)
    }

    /// What a device that has no link to wait for puts on the server. The large file last: its blocks are curl's.
    private func prepare(entries: Int) throws {
        var random = Random(seed: UInt64(fileBytes))
        try pair.first.mount()
        for folder in ["", "/many", "/small"] { try makeDirectory(here + folder) }
        for index in 0..<entries { try File.write([], to: "\(here)/many/entry\(index)") }
        for index in 0..<effort.files { try File.write(random.bytes(4096), to: "\(here)/small/\(index)") }
        try File.write(random.bytes(fileBytes), to: here + "/scattered")
        try pair.first.synchronize()
        try File.write(random.bytes(fileBytes), to: here + "/large")
        try pair.first.synchronize()
    }

    /// The median time of a read, and bytes received for each that was asked.
    private func randomReads() throws -> (seconds: Double, amplification: Double) {
        let path = there + "/scattered"
        try DbxFigures.waitUntil(seconds: 60, "\(path) has arrived") { DbxFigures.size(of: path) == fileBytes }
        var random = Random(seed: 71)
        let before = relay.count.down
        let times = try (0..<100).map { _ in
            let page = Int(random.next() % UInt64(fileBytes / 4096))
            return try DbxFigures.readAt(path, offset: page * 4096, count: 4096)
        }
        return (times.sorted()[50], Double(relay.count.down - before) / (100 * 4096))
    }
}
