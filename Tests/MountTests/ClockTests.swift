import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// The wall clock is set while everything runs.
    @Suite struct Clocks {
        private static let jumps: [Int64] = [400, -400, 9_000, -20_000, 0]
        private let sums = "find . -type f -print0 | sort -z | xargs -0 sha256sum"

        @Test(.timeLimit(.minutes(3)))
        func `a computer's clock jumps while work waits and while it goes up, and everything arrives`() throws {
            let server = try makeServer()
            let clock = try TestClock()
            let client = try MountedClient(server: server, name: "laptop")
            client.extraEnvironment = clock.environment
            try #require(try client.login().code == 0)
            try client.mount()
            let other = try MountedClient.mounted(on: server, name: "desk")
            for (round, days) in Self.jumps.enumerated() {
                server.stop()
                try client.script("mkdir -p d; echo \(round) > d/waits; head -c 3000000 /dev/urandom > d/large\(round)")
                try clock.set(daysOff: days)
                try client.script("echo new > d/new\(round); echo more >> d/log; mv d/waits d/moved\(round)")
                let year = Calendar(identifier: .gregorian).component(
                    .year, from: Date(timeIntervalSinceNow: Double(days) * 86_400))
                #expect(try client.script("stat -c %y d/new\(round)").hasPrefix("\(year)-"))
                try server.restart()
                // Not the command that hurries: what is quiet goes up by itself.
                try Shell.eventually("what waited is elsewhere, \(days) days off", withinSeconds: 60) {
                    try other.script(sums) == client.script(sums)
                }
                try client.script("rm d/large\(round); echo back >> d/log")
                try other.script("echo there > d/there\(round)")
                try client.sync()
                try Shell.eventually("both ways") { try other.script(sums) == client.script(sums) }
                #expect(try client.status().pending.files == 0)
            }
            try client.unmount()
            try client.mount()
            #expect(try client.script(sums) == other.script(sums))
            #expect(try client.run(["conflicts"]).text.contains("No conflicts"))
            try client.unmount()
            #expect(try client.run(["fsck"]).text == "Nothing is wrong.\n")
        }

        @Test(.timeLimit(.minutes(3)))
        func `the server's clock jumps, and nobody is logged out or loses an upload`() throws {
            let clock = try TestClock()
            let server = try ServerProcess.start(environment: clock.environment)
            try server.addUser("ann", password: MountedClient.password)
            let client = try MountedClient.mounted(on: server, name: "laptop")
            let other = try MountedClient.mounted(on: server, name: "desk")
            for (round, days) in Self.jumps.enumerated() {
                let writing = Process()
                writing.executableURL = URL(filePath: "/bin/bash")
                let files = "for i in {1..30}; do head -c 400000 /dev/urandom > \(round)-$i; echo $i >> log; done"
                writing.arguments = ["-c", "cd \(client.mountPoint) && \(files)"]
                try writing.run()
                try Shell.eventually("it writes") { FileManager.default.fileExists(atPath: client.path("\(round)-5")) }
                try clock.set(daysOff: days)
                writing.waitUntilExit()
                #expect(writing.terminationStatus == 0)
                try client.sync()
                try Shell.eventually("it is elsewhere") { try other.script(sums) == client.script(sums) }
            }
            server.stop()
            let check = try server.run(["fsck"])
            #expect(check.code == 0, "\(check.standardOutput) \(check.standardError)")
        }

        @Test(.timeLimit(.minutes(2)))
        func `a certificate that has expired is told as that, and work waits until it has not`() throws {
            let clock = try TestClock()
            let server = try makeServer(listen: "0.0.0.0:0")
            let client = try MountedClient(server: server, name: "desk")
            client.extraEnvironment = clock.environment
            let fingerprint = server.greeting.replacing("Fingerprint: ", with: "")
            let url = "https://127.0.0.1:\(server.port)"
            try #require(try client.login(url: url, options: ["--fingerprint", fingerprint]).code == 0)
            try client.mount()
            try client.script("echo known > known")
            try client.sync()
            try clock.set(daysOff: 9_000)
            // A connection that is up stays up.
            server.stop()
            try server.restart(listen: "0.0.0.0")
            #expect(try client.script("echo new > new; cat known") == "known")
            try Shell.eventually("it is told") {
                try client.status().connection.detail?.contains("expired") == true
            }
            #expect(try client.run(["sync", client.mountPoint]).code == 4)
            try clock.set(daysOff: 0)
            try client.sync()
            #expect(try client.succeed(["ls"]) == "known\nnew\n")
        }
    }
}
