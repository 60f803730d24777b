import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Kills client and server at random moments under load, again and again: for a few rounds in CI, for as long as
    /// `scripts/torture --minutes N` says elsewhere.
    @Suite struct KillLoops {
        /// Changes files by writes, renames over them and inserts into a database, each synced; says in a log outside of
        /// the mount what it begins and what is done. Goes on where the last one was killed.
        private static let writer = """
            import hashlib, os, random, sqlite3, sys
            root, log, seed = sys.argv[1], open(sys.argv[2], "a"), int(sys.argv[3])
            random.seed(seed)
            def say(*words): log.write(" ".join(map(str, words)) + "\\n"); log.flush()
            def put(name, data): say("done", name, hashlib.sha256(data).hexdigest())
            db = sqlite3.connect(root + "/base.db", isolation_level=None)
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA journal_mode = %s" % random.choice(["WAL", "DELETE"]))
            db.execute("CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, y BLOB)")
            while True:
                name = "f%d" % random.randrange(12)
                path = root + "/" + name
                kind = random.randrange(6)
                if kind == 0:
                    db.execute("INSERT INTO t (y) VALUES (?)", (random.randbytes(3000),))
                    say("rows", db.execute("SELECT max(x) FROM t").fetchone()[0])
                    continue
                old = open(path, "rb").read() if os.path.exists(path) else b""
                new = random.randbytes(random.randrange(1, 90000))
                place = random.randrange(len(old) + 1)
                say("begin", name)
                if kind == 1:
                    data = new
                    with open(root + "/new", "wb") as file: file.write(data); file.flush(); os.fsync(file.fileno())
                    os.rename(root + "/new", path)
                elif kind == 2 and old:
                    data = old[:place]
                    os.truncate(path, place)
                else:
                    data = old[:place] + new + old[place + len(new):]
                    file = os.open(path, os.O_RDWR | os.O_CREAT)
                    os.pwrite(file, new, place)
                    if kind == 3: os.fsync(file)
                    os.close(file)
                put(name, data)
            """

        /// Compares the mount with what the log says was done. A file that was being changed may be either.
        private static let judge = """
            import hashlib, os, sqlite3, sys
            root, log = sys.argv[1], sys.argv[2]
            state, rows = {}, 0
            for line in open(log).read().split("\\n")[:-1]:
                words = line.split()
                if words[0] == "rows": rows = int(words[1])
                else: state[words[1]] = words[2] if words[0] == "done" else None
            wrong = []
            for name, digest in sorted(state.items()):
                if digest is None: continue
                found = hashlib.sha256(open(root + "/" + name, "rb").read()).hexdigest()
                if found != digest: wrong.append("%s is not what was written" % name)
            if os.path.exists(root + "/base.db"):
                db = sqlite3.connect(root + "/base.db")
                if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok": wrong.append("base.db is damaged")
                if rows:
                    count = db.execute("SELECT count(*) FROM t").fetchone()[0]
                    if count < rows: wrong.append("base.db lost rows: %d of %d" % (count, rows))
            print("; ".join(wrong) or "right", len(state), rows)
            """

        @Test(.timeLimit(.minutes(600)))
        func `nothing that was done is lost when client or server is killed, again and again`() throws {
            let environment = ProcessInfo.processInfo.environment
            let minutes = environment["DBXFS_TORTURE_MINUTES"].flatMap(Double.init)
            let end = minutes.map { Date().addingTimeInterval($0 * 60) }
            let entropy = SeededEntropy(seed: testSeeds(1)[0])
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            let place = TemporaryDirectory()
            let log = place.path + "/log"
            for (name, text) in [("writer", Self.writer), ("judge", Self.judge)] {
                try text.write(toFile: "\(place.path)/\(name).py", atomically: true, encoding: .utf8)
            }
            var round = 0
            while end.map({ Date() < $0 }) ?? (round < 6) {
                round += 1
                let comment = "round \(round), seed \(entropy.seed)"
                let writer = Process()
                writer.executableURL = URL(filePath: "/usr/bin/python3")
                writer.arguments = [
                    place.path + "/writer.py", client.mountPoint, log, "\(entropy.number(below: 1 << 30))",
                ]
                writer.standardError = FileHandle.nullDevice
                try writer.run()
                usleep(UInt32(300_000 + entropy.number(below: 2_500_000)))
                let killsServer = entropy.chance(40)
                if killsServer { server.kill() }
                if !killsServer || entropy.chance(50) {
                    try client.crash()
                    let check = try client.run(["fsck"])
                    try #require(check.code == 0, "\(comment): \(check.text)")
                    try client.mount()
                }
                kill(writer.processIdentifier, SIGKILL)
                writer.waitUntilExit()
                if killsServer {
                    let check = try server.run(["fsck"])
                    try #require(check.code == 0, "\(comment): \(check.standardOutput)")
                    try server.restart()
                }
                let verdict = try Shell.script("python3 \(place.path)/judge.py '\(client.mountPoint)' '\(log)'")
                try #require(verdict.hasPrefix("right"), "\(comment): \(verdict)")
            }
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            let sums = "sha256sum f*"
            #expect(try other.script(sums) == client.script(sums))
        }
    }
}
