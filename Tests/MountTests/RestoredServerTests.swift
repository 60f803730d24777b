import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// A server whose data were put back to what they were some time ago, on the real programs.
    @Suite struct RestoredServer {
        private func listing(_ client: MountedClient) throws -> String {
            try client.script("find . -type f -printf '%P %m ' -exec sha256sum {} \\; | sort; find . -type d | sort")
        }

        private func settle(_ clients: [MountedClient]) throws {
            for client in clients { try client.waitFor(connection: "connected") }
            var shown: [String] = []
            do {
                try Shell.eventually("all computers show the same", withinSeconds: 60) {
                    for client in clients { try client.sync() }
                    shown = try clients.map(listing)
                    return try shown.allSatisfy { $0 == shown[0] }
                        && clients.allSatisfy { try $0.status().tree.isComplete && $0.status().pending.files == 0 }
                }
            } catch {
                let states = try clients.map { try $0.succeed(["status", $0.mountPoint]) + $0.log.suffix(2_000) }
                Issue.record("\(shown.joined(separator: "\n--\n"))\n\(states.joined(separator: "\n"))")
                throw error
            }
        }

        /// The server's data become `copy`, whatever came after it; as with `dbxfs-server restore`, or by copying files.
        private func putBack(_ copy: String, _ server: ServerProcess, isBackup: Bool) throws {
            server.stop()
            try FileManager.default.removeItem(atPath: server.dataDirectory)
            if isBackup {
                #expect(try ServerProcess.run(["restore", copy, "--data", server.dataDirectory]).code == 0)
            } else {
                try FileManager.default.copyItem(atPath: copy, toPath: server.dataDirectory)
            }
            try server.restart()
        }

        @Test("gets back what it has lost, and two computers agree", .timeLimit(.minutes(3)), arguments: [true, false])
        func lost(isBackup: Bool) throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            let copies = TemporaryDirectory()
            let copy = copies.path + "/copy"
            try here.script(
                """
                mkdir -p d/deep e; echo base > f; echo other > g; echo kept > d/deep/k; echo x > e/x
                head -c 3000000 /dev/urandom > large
                """)
            try settle([here, there])
            if isBackup {
                #expect(try server.run(["backup", copy, "--include-key"]).code == 0)
            } else {
                server.stop()
                try FileManager.default.copyItem(atPath: server.dataDirectory, toPath: copy)
                try server.restart()
            }

            // What both know, then what only one of them has committed, then what nobody has.
            try here.script(
                """
                echo more >> f; mv d/deep moved; mkdir new; head -c 2000000 /dev/urandom > new/big; chmod 600 g
                printf patch | dd of=large bs=1 seek=1500000 conv=notrunc 2>/dev/null
                """)
            try there.script("echo two > there; rm e/x")
            try settle([here, there])
            let before = try listing(here)
            server.stop()
            try here.script("echo offline > offline")
            try putBack(copy, server, isBackup: isBackup)
            try settle([here, there])

            let fresh = try MountedClient.mounted(on: server, name: "fresh")
            try settle([here, there, fresh])
            let after = try listing(fresh)
            #expect(!after.contains("conflicted"), "\(after)")
            // Only what was deleted has come back, and what was made offline was added.
            let changed = Set(after.split(separator: "\n")).symmetricDifference(before.split(separator: "\n"))
            #expect(changed.count == 2, "\(changed)")
            #expect(try fresh.script("cat e/x offline f") == "x\noffline\nbase\nmore")
        }

        @Test("says what is nowhere any more, and shows what it has", .timeLimit(.minutes(3)))
        func nowhere() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            let copies = TemporaryDirectory()
            let copy = copies.path + "/copy"
            try here.script("echo base > f")
            try settle([here, there])
            #expect(try server.run(["backup", copy, "--include-key"]).code == 0)
            try there.script("head -c 100000 /dev/urandom > only; cp only copy; echo more >> f")
            try there.sync()
            try Shell.eventually("here knows the files") {
                (try? here.script("ls; stat -c %s f")) == "copy\nf\nonly\n10"
            }
            try there.unmount()
            try putBack(copy, server, isBackup: true)
            try Shell.eventually("here shows what the server has") {
                let shown = try? here.script("ls; cat f")
                return try shown == "f\nbase" && here.status().lostVersions.count == 3
            }
            #expect(try here.succeed(["status", here.mountPoint]).contains("“only”"))
            // Whoever has them comes back.
            try there.mount()
            try settle([here, there])
            #expect(try here.script("ls; cat f") == "copy\nf\nonly\nbase\nmore")
            #expect(try here.status().lostVersions.isEmpty)
        }
    }
}
