import DbxTestKit
import Foundation
import Glibc
import Testing

extension MountTests {
    /// What programs that watch the folder (inotify(7)) learn of changes made elsewhere.
    @Suite struct ChangeEvents {
        /// `inotifywait` on a folder and all below it, from when it says that the watches stand.
        private final class Watcher {
            private let process = Process()
            private let log: String
            /// Lines that an earlier step has been judged by.
            private var seen = 0

            init(_ directory: String, log: String) throws {
                self.log = log
                process.executableURL = URL(fileURLWithPath: "/usr/bin/inotifywait")
                process.arguments = ["-m", "-r", "--format", "%e %w%f", "."]
                process.currentDirectoryURL = URL(fileURLWithPath: directory)
                _ = FileManager.default.createFile(atPath: log, contents: nil)
                let output = try #require(FileHandle(forWritingAtPath: log))
                process.standardOutput = output
                process.standardError = output
                try process.run()
                try Shell.eventually("the watches stand") { [log] in
                    try String(contentsOfFile: log, encoding: .utf8).contains("Watches established")
                }
            }

            deinit { stop() }

            func stop() {
                guard process.isRunning else { return }
                // Programs that a test starts may have every other signal blocked.
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
            }

            var events: [String] {
                get throws {
                    try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
                }
            }

            /// Makes changes until one is told, and waits until all of that has been.
            func probe(_ change: () throws -> Void) throws {
                try Shell.eventually("the first event") {
                    try change()
                    return try events.contains { $0.contains("probe") }
                }
                seen = try events.count
            }

            /// Waits for these lines, in this order, whatever stands between them.
            func tells(_ lines: [String], after step: String) throws {
                try Shell.eventually("\(step): \(lines) of\n\(try events.dropFirst(seen).joined(separator: "\n"))") {
                    var wanted = lines[...]
                    for event in try events.dropFirst(seen) where event == wanted.first { wanted = wanted.dropFirst() }
                    return wanted.isEmpty
                }
                seen = try events.count
            }
        }

        private let directory = TemporaryDirectory()

        private func watch(_ client: MountedClient, probedBy other: MountedClient? = nil) throws -> Watcher {
            let watcher = try Watcher(client.mountPoint, log: directory.path + "/events")
            // The daemon looks for watches now and then: from the first event on it knows of this one.
            if let other { try watcher.probe { try other.script("mkdir probe-$RANDOM$RANDOM") } }
            return watcher
        }

        private func pair(options: [String] = []) throws -> (server: ServerProcess, MountedClient, MountedClient) {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here", options: options)
            return (server, here, try MountedClient.mounted(on: server, name: "there"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `creations, edits, renames and removals elsewhere are told as if made here`() throws {
            let (server, here, there) = try pair()
            defer { withExtendedLifetime(server) {} }
            try there.script("mkdir docs other; echo one > docs/file; echo old > docs/target; mkdir docs/full")
            try Shell.eventually("all is here") { FileManager.default.fileExists(atPath: here.path("docs/full")) }
            let watcher = try watch(here, probedBy: there)
            let steps: [(String, [String])] = [
                ("echo new > docs/new", ["CREATE ./docs/new", "MODIFY ./docs/new", "CLOSE_WRITE,CLOSE ./docs/new"]),
                ("echo more >> docs/file", ["MODIFY ./docs/file", "CLOSE_WRITE,CLOSE ./docs/file"]),
                ("chmod 600 docs/file", ["ATTRIB ./docs/file"]),
                ("mv docs/new docs/named", ["MOVED_FROM ./docs/new", "MOVED_TO ./docs/named"]),
                ("mv docs/named other/named", ["MOVED_FROM ./docs/named", "MOVED_TO ./other/named"]),
                ("mv docs/file docs/target", ["MOVED_FROM ./docs/file", "MOVED_TO ./docs/target"]),
                ("ln -s target docs/link", ["CREATE ./docs/link"]),
                ("rm docs/target docs/link", ["DELETE ./docs/target"]),
                ("mkdir docs/sub", ["CREATE,ISDIR ./docs/sub"]),
                ("rmdir docs/full", ["DELETE,ISDIR ./docs/full"]),
                ("mv docs/sub other/", ["MOVED_FROM,ISDIR ./docs/sub", "MOVED_TO,ISDIR ./other/sub"]),
            ]
            for (script, lines) in steps {
                try there.script(script)
                try watcher.tells(lines, after: script)
            }
            watcher.stop()
            let listing = "find . -printf '%P %y %m %s %n\n' | LC_ALL=C sort"
            #expect(try here.script(listing) == there.script(listing))
            let status = try here.status()
            #expect(status.counters.commits == 0, "telling of a change changes nothing")
            #expect(status.pending.files == 0)
            // Nothing of ours stays in the mount.
            try Shell.script("fusermount3 -u '\(here.mountPoint)'")
        }

        @Test(.timeLimit(.minutes(2)))
        func `whoever is told of an edit reads the new content`() throws {
            let (server, here, there) = try pair()
            defer { withExtendedLifetime(server) {} }
            try there.script("echo 0 > file")
            try Shell.eventually("all is here") { FileManager.default.fileExists(atPath: here.path("file")) }
            // Reads when told, and never otherwise.
            let reader = Process()
            reader.executableURL = URL(fileURLWithPath: "/bin/bash")
            reader.arguments = [
                "-c",
                """
                inotifywait -q -m -e close_write --format %f . | while read -r name; do
                    cat "$name" >> '\(directory.path)/read'
                done
                """,
            ]
            reader.currentDirectoryURL = URL(fileURLWithPath: here.mountPoint)
            try reader.run()
            defer {
                _ = try? Shell.run(["pkill", "-KILL", "-P", "\(reader.processIdentifier)"])
                kill(reader.processIdentifier, SIGKILL)
            }
            func lastRead() -> Substring? {
                (try? String(contentsOfFile: directory.path + "/read", encoding: .utf8))?.split(separator: "\n").last
            }
            // The daemon looks for watches now and then: from the first event on it knows of this one.
            try Shell.eventually("something is told") {
                try there.script("date +first%N > file")
                try there.sync()
                return lastRead() != nil
            }
            // Told once each: what is read then is all that ever will be.
            for turn in 1...5 {
                try there.script("echo \(turn) > file")
                try Shell.eventually("turn \(turn) is read") { lastRead() == "\(turn)" }
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `nothing is done where nobody watches, or where it is switched off`() throws {
            for options in [[], ["--change-events", "off"]] {
                let (server, here, there) = try pair(options: options)
                defer { withExtendedLifetime(server) {} }
                let watcher = options.isEmpty ? nil : try watch(here)
                try there.script("mkdir d; for i in 1 2 3; do echo $i > d/$i; done; mv d/1 d/4; rm d/2")
                try Shell.eventually("all is here") {
                    try here.script("ls d 2>&1 || true; cat d/4 2>&1 || true") == "3\n4\n1"
                }
                let status = try here.status()
                #expect(status.counters.changeEvents["raised"] == 0)
                #expect(status.counters.fuse["mknod", default: 0] == 0)
                #expect(
                    try Shell.run(["pgrep", "-P", "\(try #require(here.daemonPID))"]).code == 1, "no helper was started"
                )
                #expect(try watcher?.events.contains { $0.contains("CREATE") } != true)
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a helper that hangs or is killed holds nothing up`() throws {
            let (server, here, there) = try pair()
            defer { withExtendedLifetime(server) {} }
            let watcher = try watch(here, probedBy: there)
            try there.script("echo a > a")
            try watcher.tells(["CREATE ./a"], after: "a")
            let daemon = try #require(here.daemonPID)
            for signal in ["STOP", "KILL"] {
                try Shell.script("pkill -\(signal) -P \(daemon)")
                try there.script("echo \(signal) > \(signal)")
                try Shell.eventually("the mount answers") { try here.script("cat \(signal) || true") == signal }
                // The event of which the helper was asked is lost; later ones are told by another.
                try Shell.eventually("events come again") {
                    try there.script("date +%N >> again")
                    try there.sync()
                    return try watcher.events.contains("MODIFY ./again")
                }
                try there.script("rm again")
                try watcher.tells(["DELETE ./again"], after: "rm again")
            }
            #expect(try here.status().counters.changeEvents["failed", default: 0] > 0)
        }
    }
}
