import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Several computers of one account, random programs on them, and a network that fails: for a few rounds in CI, for as
    /// long as `scripts/torture --convergence --minutes N` says elsewhere.
    @Suite struct ConvergenceRuns {
        private struct Computer {
            let client: MountedClient
            let proxy: FaultProxy
        }

        @Test(
            "computers come to one tree and lose nothing, whatever the network does", .timeLimit(.minutes(600)))
        func oneTree() throws {
            let minutes = ProcessInfo.processInfo.environment["DBXFS_TORTURE_MINUTES"].flatMap(Double.init)
            let end = minutes.map { Date().addingTimeInterval($0 * 60) }
            let entropy = SeededEntropy(seed: testSeeds(1)[0])
            let server = try makeServer()
            let place = TemporaryDirectory()
            let work = [
                ("program", ConvergenceWorkload.program), ("tree", ConvergenceWorkload.tree),
                ("judge", ConvergenceWorkload.judge), ("waiting", ConvergenceWorkload.waiting),
            ]
            for (name, text) in work {
                try text.write(toFile: "\(place.path)/\(name).py", atomically: true, encoding: .utf8)
            }
            let computers = try ["one", "two", "three"].map { try Self.computer($0, of: server) }
            try computers[0].client.script("echo '*.loc' > .dbxfsignore")
            var round = 0
            while end.map({ Date() < $0 }) ?? (round < 3) {
                round += 1
                let comment: Comment = "round \(round), seed \(entropy.seed)"
                try run(computers, place.path, entropy, comment)
                for computer in computers { computer.proxy.become(.pass) }
                try converge(computers, place.path, comment)
            }
        }

        private static func computer(_ name: String, of server: ServerProcess) throws -> Computer {
            let proxy = try FaultProxy(to: server.port)
            let client = try MountedClient(server: server, name: name)
            let output = try client.login(url: proxy.url)
            try #require(output.code == 0, "\(output.text)")
            try client.mount()
            return Computer(client: client, proxy: proxy)
        }

        private func run(
            _ computers: [Computer], _ place: String, _ entropy: SeededEntropy, _ comment: Comment
        ) throws {
            let modes: [FaultProxy.Mode] = [
                .pass, .pass, .refuse, .blackHole, .portal, .forgotten, .busy(retryAfterSeconds: 1),
                .cut(afterBytes: 300), .link(bytesPerSecond: 50_000, roundTripMilliseconds: 100),
            ]
            let programs = try computers.map { computer in
                let program = Process()
                program.executableURL = URL(filePath: "/usr/bin/python3")
                program.arguments = [
                    place + "/program.py", computer.client.mountPoint, computer.client.name,
                    "\(place)/\(computer.client.name).log", "\(entropy.number(below: 1 << 30))", "4",
                ]
                program.standardError = FileHandle.nullDevice
                try program.run()
                return program
            }
            while programs.contains(where: \.isRunning) {
                entropy.element(of: computers).proxy.become(entropy.element(of: modes))
                // How long the network stays so: it is part of the work, nothing is waited for.
                usleep(UInt32(100_000 + entropy.number(below: 500_000)))
            }
            guard entropy.chance(60) else { return }
            let victim = entropy.element(of: computers).client
            try victim.crash()
            let check = try victim.run(["fsck"])
            try #require(check.code == 0, "\(comment): \(check.text)")
            try victim.mount()
        }

        /// False where the server was found to be away by a question that was asked while it was. When it does not end, says
        /// what is not on the server.
        private static func sync(_ client: MountedClient, _ place: String, _ comment: Comment) throws -> Bool {
            let output = try client.run(["sync", client.mountPoint])
            let serverIsAway: Int32 = 4
            if output.code == 0 || output.code == serverIsAway { return output.code == 0 }
            let status = try client.run(["status", "--json", client.mountPoint])
            let waiting = try Shell.script("python3 \(place)/waiting.py '\(client.mountPoint)'")
            try #require(
                output.code == 0, "\(comment): \(output.text)\n\(status.text)\n\(waiting)\n\(client.log)")
            return true
        }

        /// What each computer wrote to files of its own is read on all of them.
        private func converge(_ computers: [Computer], _ place: String, _ comment: Comment) throws {
            func tree(_ computer: Computer) throws -> String {
                try Shell.script("python3 \(place)/tree.py '\(computer.client.mountPoint)'")
            }
            for computer in computers { try computer.client.waitFor(connection: "connected") }
            try Shell.eventually("one tree (\(comment))", withinSeconds: 120) {
                guard try computers.allSatisfy({ try Self.sync($0.client, place, comment) }) else { return false }
                let first = try tree(computers[0])
                return try computers.dropFirst().allSatisfy { try tree($0) == first }
            }
            for writer in computers.map(\.client.name) {
                for reader in computers {
                    let lost = try Shell.script(
                        "python3 \(place)/judge.py '\(reader.client.mountPoint)' '\(place)/\(writer).log'")
                    try #require(lost.isEmpty, "\(comment): \(lost) of \(writer) on \(reader.client.name)")
                }
            }
        }
    }
}
