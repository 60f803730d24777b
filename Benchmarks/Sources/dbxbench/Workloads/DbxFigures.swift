import Foundation

/// What only dbxfs can be measured at: the way over the server.
enum DbxFigures {
    static let names = ["durable", "cold-read", "propagation", "wire", "sizes", "link", "tree"]

    static func run(_ name: String, _ pair: DbxPair, _ effort: Effort) throws -> [Figure] {
        switch name {
        case "durable": try durable(pair, effort)
        case "cold-read": try coldRead(pair, effort)
        case "wire": try WireBytes.run(DbxWirePair(pair, name), effort)
        case "sizes": try SizeFigures.run(DbxWirePair(pair, name), effort)
        case "link": try Link.all.flatMap { try LinkFigures.run(pair, effort, over: $0) }
        case "tree": try TreeFigures.run(pair, effort)
        default: try propagation(pair, effort)
        }
    }

    /// 4 KiB files, from the first write until all are on the server.
    private static func durable(_ pair: DbxPair, _ effort: Effort) throws -> [Figure] {
        let directory = pair.first.mountPoint + "/durable"
        try makeDirectory(directory)
        var random = Random(seed: 19)
        let count = effort.files
        let seconds = try time {
            for index in 0..<count { try File.write(random.bytes(4096), to: "\(directory)/file\(index)") }
            try pair.first.synchronize()
        }
        try FileManager.default.removeItem(atPath: directory)
        return [Figure(name: "4 KiB files durable on the server", unit: .operations, value: Double(count) / seconds)]
    }

    /// A file that the second device has never seen, read there through the mount, and its blocks with curl.
    private static func coldRead(_ pair: DbxPair, _ effort: Effort) throws -> [Figure] {
        let path = "/cold"
        var random = Random(seed: 23)
        let file = try File.open(pair.first.mountPoint + path, O_WRONLY | O_CREAT | O_TRUNC)
        for _ in 0..<(effort.fileBytes >> 20) {
            let chunk = random.bytes(1 << 20)
            guard write(file, chunk, chunk.count) == chunk.count else { throw File.error("write", path) }
        }
        try File.check(close(file), "close", path)
        let uploaded = try time { try pair.first.synchronize() }
        try pair.second.mount()
        let place = pair.second.mountPoint + path
        try waitUntil(seconds: 30, "\(place) has arrived") { size(of: place) == effort.fileBytes }
        let firstByte = try readAt(place, offset: effort.fileBytes / 2, count: 4096)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        touchMemory(bytes: 4 * effort.fileBytes)
        let cold = try time {
            let file = try File.open(place, O_RDONLY)
            defer { close(file) }
            var total = 0
            while case let count = read(file, &buffer, buffer.count), count > 0 { total += count }
            guard total == effort.fileBytes else { throw File.error("read", place) }
        }
        let curl = try CurlBaseline.measure(pair, bytes: effort.fileBytes)
        unlink(pair.first.mountPoint + path)
        let megabytes = Double(effort.fileBytes) / 1e6
        return [
            Figure(name: "upload of one file", unit: .megabytes, value: megabytes / uploaded),
            Figure(name: "cold 4 KiB read, one block away", unit: .milliseconds, value: firstByte * 1000),
            Figure(name: "cold sequential read", unit: .megabytes, value: megabytes / cold),
            Figure(name: "the same blocks with curl", unit: .megabytes, value: curl),
        ]
    }

    /// A host makes a virtual machine's memory when it is first touched, at a multiple of the cost of reading a file into
    /// it. What is touched and freed here is what the page cache takes next.
    static func touchMemory(bytes: Int) {
        guard let start = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            start != MAP_FAILED
        else { return }
        memset(start, 1, bytes)
        munmap(start, bytes)
    }

    static func readAt(_ path: String, offset: Int, count: Int) throws -> Double {
        var buffer = [UInt8](repeating: 0, count: count)
        let file = try File.open(path, O_RDONLY)
        defer { close(file) }
        return try time {
            guard pread(file, &buffer, count, off_t(offset)) == count else { throw File.error("pread", path) }
        }
    }

    /// Until the second mount shows what was done on the first: a new directory and a rename (rows alone), then the
    /// content of a new file, which waits until the file has been quiet for a second.
    private static func propagation(_ pair: DbxPair, _ effort: Effort) throws -> [Figure] {
        try pair.second.mount()
        let (here, there) = (pair.first.mountPoint, pair.second.mountPoint)
        var rows: [Double] = []
        var contents: [Double] = []
        for index in 0..<(effort.rounds == 1 ? 10 : 40) {
            rows.append(try arrival({ try makeDirectory("\(here)/new\(index)") }) { exists("\(there)/new\(index)") })
            rows.append(
                try arrival({ try File.check(rename("\(here)/new\(index)", "\(here)/moved\(index)"), "rename", here) })
                {
                    exists("\(there)/moved\(index)") && !exists("\(there)/new\(index)")
                })
        }
        for index in 0..<(effort.rounds == 1 ? 3 : 8) {
            contents.append(
                try arrival({ try File.write([1, 2, 3], to: "\(here)/text\(index)") }) {
                    size(of: "\(there)/text\(index)") == 3
                })
        }
        return [
            Figure(name: "change seen elsewhere, p50", unit: .milliseconds, value: percentile(rows, 0.5)),
            Figure(name: "change seen elsewhere, p99", unit: .milliseconds, value: percentile(rows, 0.99)),
            Figure(name: "new file seen elsewhere, p50", unit: .milliseconds, value: percentile(contents, 0.5)),
            Figure(name: "new file seen elsewhere, max", unit: .milliseconds, value: contents.max() ?? 0),
        ]
    }

    /// Milliseconds from the end of `change` until `isSeen`.
    private static func arrival(_ change: () throws -> Void, _ isSeen: () -> Bool) throws -> Double {
        _ = isSeen()
        try change()
        return try time { try waitUntil(seconds: 20, "a change arrives at the second mount", isSeen) } * 1000
    }

    private static func percentile(_ values: [Double], _ part: Double) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
    }

    private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func size(of path: String) -> Int {
        var value = Glibc.stat()
        return lstat(path, &value) == 0 ? Int(value.st_size) : -1
    }

    static func waitUntil(seconds: Double, _ what: String, _ condition: () -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !condition() {
            guard ContinuousClock.now < deadline else { throw Failure("waited \(Int(seconds)) s until \(what)") }
            usleep(500)
        }
    }
}
