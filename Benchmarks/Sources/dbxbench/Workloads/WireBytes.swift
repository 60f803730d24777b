import Foundation

/// Bytes on the wire for everyday edits, headers and all, without TLS: of the device that makes the edit, both ways
/// together, and of another one that had the file before and reads it again.
struct WireBytes {
    private let pair: any WirePair
    private let effort: Effort

    /// Ends the pair.
    static func run(_ pair: any WirePair, _ effort: Effort) throws -> [Figure] {
        defer { pair.end() }
        return try WireBytes(pair: pair, effort: effort).figures()
    }

    private func figures() throws -> [Figure] {
        var figures: [Figure] = []
        let megabytes = effort.rounds == 1 ? 1 : 4
        try make("log", Self.log(bytes: megabytes * 32 << 20))
        figures += try edit("a line before a log, saved by rename", "log") { path in
            let old = try Data(contentsOf: URL(fileURLWithPath: path))
            try (Data("a new first line\n".utf8) + old).write(to: URL(fileURLWithPath: path + ".new"))
            try File.check(rename(path + ".new", path), "rename", path)
        }
        figures += try edit("a line before a log, written over", "log") { path in
            let old = try Data(contentsOf: URL(fileURLWithPath: path))
            try File.write(Array("another first line\n".utf8) + old, to: path)
        }
        var random = Random(seed: 31)
        try make("image", random.bytes(megabytes * 128 << 20))
        figures += try edit("4 KiB overwritten in an image", "image") { path in
            let file = try File.open(path, O_WRONLY)
            defer { close(file) }
            var random = Random(seed: 37)
            let page = random.bytes(4096)
            guard pwrite(file, page, 4096, off_t(megabytes * 64 << 20)) == 4096 else { throw File.error("pwrite", path) }
        }
        figures += try database(rows: megabytes * 100_000)
        figures += try edit("a file of one byte", "one") { try File.write([1], to: $0) }
        figures += try edit("100 files of 1 KB, for each byte", "hundred/f99", per: 100 * 1024) { path in
            let directory = path.replacingOccurrences(of: "/f99", with: "")
            try makeDirectory(directory)
            var random = Random(seed: 41)
            for index in 0..<100 { try File.write(random.bytes(1024), to: "\(directory)/f\(index)") }
        }
        let appends = effort.rounds == 1 ? 20 : 200
        figures += try edit("1 KB appended each second, for each byte", "appended", per: appends * 1024) { path in
            var random = Random(seed: 43)
            for _ in 0..<appends {
                let file = try File.open(path, O_WRONLY | O_CREAT | O_APPEND)
                defer { close(file) }
                guard write(file, random.bytes(1024), 1024) == 1024 else { throw File.error("write", path) }
                sleep(1)
            }
        }
        figures += try edit("a rename", "one", isRead: false) { try File.check(rename($0, $0 + "x"), "rename", $0) }
        figures += try edit("a mode", "onex", isRead: false) { try File.check(chmod($0, 0o600), "chmod", $0) }
        figures += try edit("a copy of an image", "copy") { path in
            try Command.run(["cp", "--reflink=auto", pair.here + "/image", path], seconds: 300)
        }
        figures += try edit("an image cut in half", "copy") { path in
            try File.check(truncate(path, off_t(megabytes * 64 << 20)), "truncate", path)
        }
        return figures
    }

    private func database(rows: Int) throws -> [Figure] {
        func sqlite(_ path: String, _ words: String) throws {
            try Command.run(["sqlite3", path, words], seconds: 300)
        }
        let local = NSTemporaryDirectory() + "dbxbench-\(getpid()).db"
        try sqlite(
            local,
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB, b TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows))
            INSERT INTO t SELECT i, randomblob(400), 'row ' || i FROM n;
            """)
        try make("database", [UInt8](Data(contentsOf: URL(fileURLWithPath: local))))
        unlink(local)
        return try edit("100 rows updated in a database", "database") { path in
            try sqlite(
                path, "UPDATE t SET b = 'changed' WHERE id IN (SELECT abs(random()) % \(rows) FROM t LIMIT 100);")
        }
    }

    /// A file that both have before the edit.
    private func make(_ name: String, _ bytes: [UInt8]) throws {
        try File.write(bytes, to: pair.here + "/" + name)
        try pair.send()
        try pair.receive(name)
    }

    /// `isRead`: the other one reads all of the file afterwards.
    private func edit(
        _ name: String, _ file: String, per bytes: Int = 1, isRead: Bool = true, _ change: (String) throws -> Void
    ) throws -> [Figure] {
        usleep(500_000)
        let before = pair.passed
        try change(pair.here + "/" + file)
        try pair.send()
        if isRead { try pair.receive(file) }
        // Rows of others have no moment at which they must have come; what is not asked for comes within this.
        usleep(500_000)
        let unit: Figure.Unit = bytes == 1 ? .bytes : .ratio
        return zip(["", ", elsewhere"], zip(before, pair.passed)).map { place, counts in
            Figure(name: name + place, unit: unit, value: Double(counts.1 - counts.0) / Double(bytes))
        }
    }

    private static func log(bytes: Int) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes + 200)
        var random = Random(seed: 29)
        while text.count < bytes {
            let word = random.bytes(12).map { String($0, radix: 16) }.joined()
            text += Array("2026-11-21T10:00:00Z host service[\(text.count)]: request \(word) answered\n".utf8)
        }
        return text
    }
}
