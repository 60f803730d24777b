import DbxTestKit
import Foundation
import Glibc
import Testing

extension MountTests {
    /// Another program has filled the disk below the state to its last byte.
    @Suite(.enabled(if: geteuid() == 0, "mounts a small disk, so needs root")) struct FullDisk {
        /// A disk in memory, while the object lives.
        final class SmallDisk {
            let directory = TemporaryDirectory()
            var path: String { directory.path }

            init(mebibytes: Int) throws {
                try Shell.script("mount -t tmpfs -o size=\(mebibytes)m none \(path)")
            }

            deinit { _ = try? Shell.run(["umount", "-l", path]) }

            func fill() throws { _ = try Shell.run(["bash", "-c", "cat /dev/zero >> \(path)/other; sync"]) }
            func freeBytes() throws -> Int {
                try Int(Shell.script("df --output=avail -B 1 \(path) | tail -1").trimmingCharacters(in: .whitespaces))
                    ?? 0
            }
            func empty() throws { try FileManager.default.removeItem(atPath: path + "/other") }
        }

        private func isRefused(_ client: MountedClient) throws -> Bool {
            try Shell.run(["touch", client.path("new")]).text.contains("No space left on device")
        }

        @Test(.timeLimit(.minutes(3)))
        func `removing, renaming and what is known go on, removing makes room, and a start needs none`() throws {
            let server = try makeServer()
            let disk = try SmallDisk(mebibytes: 200)
            let client = try mountedClient(of: server, stateAt: disk.path)
            server.stop()
            try client.script(
                "mkdir d; head -c 40000000 /dev/urandom > d/large; for i in {1..300}; do seq $i 999 > d/$i; done")
            let before = try client.script("sha256sum d/large d/7 d/300")
            try disk.fill()
            try Shell.eventually("new files are refused, and status says so") {
                if try isRefused(client) {
                    // What an epoch has just given back to the disk is taken as well.
                    if try client.succeed(["status"]).contains("is full: new files and writes are refused") {
                        return true
                    }
                } else {
                    // On a disk that is full to the last byte even that is refused.
                    _ = try? client.script("rm new; sync d")
                }
                try disk.fill()
                return false
            }
            try client.script("rm d/{1..6}; mv d/8 d/eight; chmod 600 d/9; rm -r d/2??; sync d/7")
            #expect(try client.script("sha256sum d/large d/7 d/300") == before)
            let names = try client.script("ls -l d")
            try client.crash()
            try client.mount()
            #expect(try client.script("ls -l d") == names)
            #expect(try client.script("sha256sum d/large d/7 d/300") == before)
            try client.script("rm d/large; sync d/7")
            try Shell.eventually("what was removed makes room") {
                try Shell.run(["touch", client.path("new")]).code == 0
            }
            try disk.empty()
            try server.restart()
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            let all = "find . -type f -print0 | sort -z | xargs -0 sha256sum"
            #expect(try other.script(all) == client.script(all))
            try client.unmount()
            #expect(try client.run(["fsck"]).text == "Nothing is wrong.\n")
        }

        @Test(.timeLimit(.minutes(3)))
        func `what is only cached gives way to other programs, and is fetched again`() throws {
            let server = try makeServer()
            let disk = try SmallDisk(mebibytes: 600)
            let client = try mountedClient(of: server, stateAt: disk.path)
            try client.script("head -c 150000000 /dev/urandom > large; sha256sum large > sum")
            try client.sync()
            try disk.fill()
            try Shell.eventually("the cache makes way") {
                try Shell.script("touch \(client.path("sum"))")
                return try disk.freeBytes() > 32 << 20
            }
            try client.script("sha256sum -c sum")
            // Until nothing is left that could make way.
            var timesFull = 0
            try Shell.eventually("the disk stays full", withinSeconds: 60) {
                try disk.fill()
                try client.script("touch large; sync large")
                timesFull = try disk.freeBytes() < 1 << 20 ? timesFull + 1 : 0
                return timesFull == 5
            }
            #expect(try isRefused(client))
            // News wait, without being asked for all the time.
            let other = try MountedClient.mounted(on: server, name: "desk")
            try other.script("rm sum; seq 9 > news")
            try other.sync()
            try Shell.eventually("it is told why") { try client.succeed(["status"]).contains("is full") }
            let before = try client.counters().requests
            try Shell.eventually("it has tried") { try client.counters().requests > before + 1 }
            let names = try client.script("ls")
            #expect(!names.contains("news"))
            try disk.empty()
            try Shell.eventually("the news come") { try client.script("ls") == "large\nnews" }
            #expect(try client.counters().requests < before + 60)
            try client.script("cp large copy && cmp large copy")
            try client.unmount(wait: true)
            #expect(try client.run(["fsck"]).text == "Nothing is wrong.\n")
        }
    }
}
