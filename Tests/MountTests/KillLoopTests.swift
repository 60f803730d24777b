import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Kills client and server at random moments under load, again and again: for a few rounds in CI, for as long as
    /// `scripts/torture --minutes N` says elsewhere.
    @Suite struct KillLoops {
        @Test(.timeLimit(.minutes(600)), arguments: KillWorkload.all)
        func `nothing that was done is lost when client or server is killed, again and again`(
            work: KillWorkload
        ) throws {
            let environment = ProcessInfo.processInfo.environment
            let minutes = environment["DBXFS_TORTURE_MINUTES"].flatMap(Double.init)
            let end = minutes.map { Date().addingTimeInterval($0 * 60 / Double(KillWorkload.all.count)) }
            let entropy = SeededEntropy(seed: testSeeds(1)[0])
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            let place = TemporaryDirectory()
            let log = place.path + "/log"
            for (name, text) in [("writer", work.writer), ("judge", work.judge)] {
                try text.write(toFile: "\(place.path)/\(name).py", atomically: true, encoding: .utf8)
            }
            var round = 0
            var tally = KillTally(name: work.testDescription)
            defer { if minutes != nil { print(tally.report) } }
            while end.map({ Date() < $0 }) ?? (round < work.rounds) {
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
                if killsServer {
                    server.kill()
                    tally.servers += 1
                }
                if !killsServer || entropy.chance(50) {
                    try client.crash()
                    let check = try client.run(["fsck"])
                    try #require(check.code == 0, "\(comment): \(check.text)")
                    try tally.clientIsBack {
                        try client.mount()
                        try client.script("ls >/dev/null; : > usable")
                    }
                }
                // Foundation makes it the leader of a group, in which the programs are that it started.
                kill(-writer.processIdentifier, SIGKILL)
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
            let sums = "find . -type f -print0 | sort -z | xargs -0 sha256sum"
            #expect(try other.script(sums) == client.script(sums))
        }
    }
}

/// How many kills a run survived, and how long the client took each time to be usable again: told, never asserted.
private struct KillTally {
    let name: String
    var servers = 0
    private var seconds: [Double] = []

    init(name: String) { self.name = name }

    mutating func clientIsBack(_ mount: () throws -> Void) throws {
        let start = ContinuousClock.now
        try mount()
        seconds.append((ContinuousClock.now - start) / .seconds(1))
    }

    var report: String {
        let within = seconds.filter { $0 < 1 }.count
        let worst = seconds.sorted(by: >).prefix(5).map { String(format: "%.2f", $0) }.joined(separator: " ")
        return """
            torture: \(name): \(seconds.count) kills of the client, \(servers) of the server; \
            \(within) mounts usable within a second, the slowest after \(worst) s
            """
    }
}
