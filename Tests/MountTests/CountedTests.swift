import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Promises about work that is not done, read from the counters of `dbxfs status --json`.
    @Suite struct Counted {
        @Test(.timeLimit(.minutes(3)))
        func `a second stat of a known tree asks the daemon nothing`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("for d in $(seq 10); do mkdir $d; for f in $(seq 20); do echo $f > $d/$f; done; done")
            try client.sync()
            let look = "for d in $(seq 10); do for f in $(seq 20); do stat -c %s $d/$f; done; done >/dev/null"
            try client.script(look)
            let before = try client.counters()
            try client.script(look)
            let after = try client.counters()
            #expect(after.fuse("lookup") == before.fuse("lookup"))
            #expect(after.fuse("getattr") == before.fuse("getattr"))
            #expect(after.requests - before.requests <= 2)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a long listing does not ask the daemon for each file's attributes`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("mkdir d; for f in $(seq 300); do echo $f > d/$f; done")
            let before = try client.counters()
            try client.script("ls -l d >/dev/null")
            let after = try client.counters()
            #expect(after.fuse("getxattr") - before.fuse("getxattr") <= 10)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a small write is one request`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            let before = try client.counters()
            try client.script("dd if=/dev/zero of=file bs=128 count=500 2>&1")
            let after = try client.counters()
            #expect(after.fuse("write") - before.fuse("write") == 500)
            #expect(after.fuse("getxattr") - before.fuse("getxattr") <= 1)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a burst of changes does not wake the engine for each`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.succeed(["pause"])
            let before = try Self.sleeps(of: "dbxfs-sync", in: client)
            try client.script(
                """
                python3 - <<'END'
                import os
                os.mkdir("a")
                for i in range(3000):
                    os.rename("a", "b")
                    os.rename("b", "a")
                for i in range(2000):
                    open("file", "x").close()
                    os.unlink("file")
                END
                """)
            let sleeps = try Self.sleeps(of: "dbxfs-sync", in: client) - before
            #expect(sleeps < 3_000, "\(sleeps) for 6,000 renames and 2,000 files made and removed")
            try client.succeed(["resume"])
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script("ls") == "a")
        }

        /// How often the daemon's thread of that name has begun to wait.
        private static func sleeps(of thread: String, in client: MountedClient) throws -> Int {
            let tasks = "/proc/\(try #require(client.daemonPID))/task"
            let task = try FileManager.default.contentsOfDirectory(atPath: tasks).first { task in
                try String(contentsOfFile: "\(tasks)/\(task)/comm", encoding: .utf8) == thread + "\n"
            }
            let status = try String(contentsOfFile: "\(tasks)/\(try #require(task))/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches") })
            return try #require(line.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) })
        }

        @Test(.timeLimit(.minutes(3)))
        func `files of a few dozen KiB go up by a few requests`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.succeed(["pause"])
            try here.script("for f in $(seq 200); do head -c $((10000 + f * 100)) /dev/urandom > $f; done")
            let before = try here.counters()
            try here.succeed(["resume"])
            try here.sync()
            let requests = try here.counters().requests - before.requests
            #expect(requests < 100, "\(requests) for 200 files")
            let there = try MountedClient.mounted(on: server, name: "there")
            #expect(try there.script("cat * | sha256sum") == here.script("cat * | sha256sum"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a remote change invalidates only what it touched`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("mkdir a b; for f in $(seq 30); do echo $f > a/$f; echo $f > b/$f; done")
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            let look = "stat -c %s a/* b/* a b . >/dev/null; cat a/* b/* >/dev/null"
            try there.script(look)
            try there.script(look)
            let before = try there.counters()
            try here.script("echo changed >> a/7")
            try Shell.eventually("the change arrives") { try there.script("tail -1 a/7") == "changed" }
            try there.script(look)
            let after = try there.counters()
            let invalidated = after.allInvalidations - before.allInvalidations
            #expect((1...6).contains(invalidated), "\(invalidated) notices")
            #expect(after.fuse("lookup") - before.fuse("lookup") <= 2)
            // The changed file, and the directories whose times are relative.
            #expect(after.fuse("getattr") - before.fuse("getattr") <= 4)
        }

        @Test(.timeLimit(.minutes(5)))
        func `4 KiB overwritten in a 1 GiB file sends under 64 KiB and one segment row`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script(
                "truncate -s 1G file; dd if=/dev/urandom of=file bs=1M seek=500 count=12 conv=notrunc status=none",
                limitSeconds: 240)
            try client.sync()
            let before = try client.counters()
            try client.script("dd if=/dev/urandom of=file bs=4k seek=129000 count=1 conv=notrunc status=none")
            try client.sync()
            let after = try client.counters()
            #expect(after.uploadedBytes > before.uploadedBytes)
            #expect(after.uploadedBytes - before.uploadedBytes < 64 << 10)
            #expect(after.rows("segment") - before.rows("segment") == 1)
            let other = try MountedClient.mounted(on: server, name: "desk")
            let read = "dd if=file bs=1M skip=500 count=12 status=none | sha256sum"
            #expect(try other.script(read) == client.script(read))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a file that an editor saves anew sends what is new, and is read whole elsewhere`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("head -c 6000000 /dev/urandom > file")
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            #expect(try there.script("sha256sum < file") == here.script("sha256sum < file"))
            let before = try (here.counters(), there.counters())
            try here.script("(echo a new line; cat file) > file.new; mv file.new file")
            try here.sync()
            let sum = try here.script("sha256sum < file")
            try Shell.eventually("the edit arrives") { try there.script("sha256sum < file") == sum }
            let after = try (here.counters(), there.counters())
            #expect(after.0.uploadedBytes - before.0.uploadedBytes < 4_096)
            #expect(after.1.fetchedBytes - before.1.fetchedBytes < 4_096)
            // One that had neither needs the new blocks and what they were made of.
            let cold = try MountedClient.mounted(on: server, name: "cold")
            #expect(try cold.script("sha256sum < file") == sum)
        }

        @Test(.timeLimit(.minutes(3)))
        func `edit after edit of a large file arrives, none of them as a whole`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("head -c 40000000 /dev/urandom > file")
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            let sum = "sha256sum < file"
            #expect(try there.script(sum) == here.script(sum))
            // Writes, holes, bytes behind the end and a cut, each on what the one before left.
            for (round, edit) in [
                "dd if=/dev/urandom of=file bs=5000 seek=$((RANDOM % 8000)) count=1 conv=notrunc status=none",
                "fallocate -p -o 12345678 -l 3000000 file", "head -c 70000 /dev/urandom >> file",
                "dd if=/dev/urandom of=file bs=1M seek=11 count=2 conv=notrunc status=none",
                "truncate -s 33333333 file",
            ].enumerated() {
                let before = try here.counters()
                try here.script(edit)
                try here.sync()
                let wanted = try here.script(sum)
                try Shell.eventually("round \(round) arrives: \(edit)") { try there.script(sum) == wanted }
                let after = try here.counters()
                #expect(after.uploadedBytes - before.uploadedBytes < 3 << 20, "\(edit)")
                #expect(after.commits - before.commits == 1, "\(edit)")
            }
        }

        @Test(.timeLimit(.minutes(5)))
        func `a thousand small files that are not here come by a few dozen requests`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            // Some travel in commits, some are objects of the server.
            try writer.script(
                """
                mkdir d
                for i in $(seq 1000 1999); do head -c $((i % 5 == 0 ? 9000 : 3000)) /dev/urandom > d/$i; done
                """)
            try writer.sync()
            let reader = try MountedClient.mounted(on: server, name: "desk")
            let before = try reader.counters()
            let sum = "tar -c --sort=none d | tar -xO | wc -c; cat d/* | sha256sum"
            #expect(try reader.script(sum) == writer.script(sum))
            let after = try reader.counters()
            #expect(after.fetchedBlocks - before.fetchedBlocks == 1_000)
            #expect(after.requests - before.requests < 150)
        }

        @Test(.timeLimit(.minutes(5)))
        func `4 KiB read at ten places of a 5 GiB file fetch a frame or two each`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script(
                """
                truncate -s 5G file
                for i in $(seq 0 9); do
                    dd if=/dev/urandom of=file bs=1M seek=$((i * 500 + 13)) count=2 conv=notrunc status=none
                done
                """, limitSeconds: 240)
            try writer.sync()
            let reader = try MountedClient.mounted(on: server, name: "desk")
            #expect(try reader.script("stat -c %s file") == "\(5 << 30)")
            let before = try reader.counters()
            let read = """
                for i in $(seq 0 9); do
                    dd if=file bs=4k skip=$(((i * 500 + 13) * 256 + 100)) count=1 status=none
                done | sha256sum
                """
            #expect(try reader.script(read) == writer.script(read))
            let after = try reader.counters()
            // The kernel asks for some pages more, which may lie on both sides of a border.
            #expect((10...20).contains(after.fetchedBlocks - before.fetchedBlocks))
            #expect(after.fetchedBytes - before.fetchedBytes <= 20 * (65 << 10))
        }

        @Test(.timeLimit(.minutes(3)))
        func `an idle mount sends nothing but the heartbeat`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("echo text > file")
            try client.sync()
            try client.waitFor(connection: "connected")
            usleep(3_000_000)
            let before = try client.counters()
            usleep(10_000_000)
            let after = try client.counters()
            #expect(after.requests == before.requests)
            #expect(after.commits == before.commits)
            #expect(after.fuse == before.fuse)
        }

        @Test(.timeLimit(.minutes(3)))
        func `renames, modes and times send no content`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("mkdir d; head -c 1000000 /dev/urandom > d/file; cp d/file d/copy")
            try client.sync()
            let before = try client.counters()
            try client.script("mv d e; chmod 600 e/file; touch -d 2001-01-01 e/file; mv e/file moved")
            try client.sync()
            let after = try client.counters()
            #expect(after.uploadedBytes == before.uploadedBytes)
            #expect(after.commits > before.commits)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a tree that is copied in the mount sends no content, by whatever calls it is copied`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script(
                "mkdir d; for i in $(seq 20); do head -c 20000 /dev/urandom > d/$i; done; head -c 9000000 /dev/urandom > d/l"
            )
            try client.sync()
            let before = try client.counters()
            try client.script("cp -r d byCall")
            try client.sync()
            let cloned = try client.counters()
            #expect(cloned.uploadedBytes == before.uploadedBytes)
            try client.script("tar -c d | (mkdir byBytes; tar -x -C byBytes --strip-components=1)")
            try client.sync()
            #expect(try client.counters().uploadedBytes == cloned.uploadedBytes)
            let other = try MountedClient.mounted(on: server, name: "desk")
            try other.script("diff -r d byCall; diff -r d byBytes")
        }
    }
}
