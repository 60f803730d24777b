import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// The daemon, the kernel and the network wait for each other in no circle.
    @Suite struct NoDeadlock {
        @Test(.timeLimit(.minutes(3)))
        func `every operation works on a file whose reads are stalled while it is changed elsewhere`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script("mkdir d; head -c 6000000 /dev/urandom > d/f; echo x > d/other")
            try writer.sync()
            let proxy = try FaultProxy(to: server.port)
            let client = try MountedClient(server: server, name: "desk")
            try #require(try client.login(url: proxy.url).code == 0)
            try client.mount(["--read-timeout", "60"])
            proxy.become(.stallBlocks)
            // Readers of all its parts, which hold the pages locked.
            let readers = try (0..<4).map { part in
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/bin/dd")
                process.arguments = [
                    "if=\(client.path("d/f"))", "of=/dev/null", "bs=4k", "count=4", "skip=\(part * 300)", "status=none",
                ]
                try process.run()
                return process
            }
            try Shell.eventually("the readers wait") { try client.counters().fuse("read") > 0 }
            for round in 1...4 {
                try writer.script(
                    "echo \(round) | dd of=d/f conv=notrunc bs=1 seek=\(round * 1_000_000) status=none; sync d/f")
                try writer.sync()
                try writer.script("chmod 6\(round)0 d/f; setfattr -n user.round -v \(round) d/f; touch d/f")
                try Shell.eventually("the change is seen here") {
                    try client.script("stat -c %a d/f", limitSeconds: 20) == "6\(round)0"
                }
                try client.script(
                    """
                    ls -l d >/dev/null; getfattr -n user.round d/f >/dev/null; df . >/dev/null
                    ln d/f d/link\(round); mv d/link\(round) d/moved\(round); rm d/moved\(round)
                    chmod u+x d/f; chmod u-x d/f; echo \(round) > d/mine\(round); cat d/mine\(round) >/dev/null
                    """, limitSeconds: 30)
            }
            #expect(try client.run(["status", "--json", client.mountPoint], limitSeconds: 20).code == 0)
            proxy.become(.pass)
            for reader in readers { reader.waitUntilExit() }
            try client.sync()
            #expect(try client.script("sha256sum < d/f") == writer.script("sha256sum < d/f"))
        }

        @Test(.timeLimit(.minutes(2)))
        func `a file that is nearly all hole goes up, however large it is`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("truncate -s 1P big; echo end >> big")
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script("stat -c %s big; tail -c 4 big") == "\((1 << 50) + 4)\nend")
        }

        @Test(.timeLimit(.minutes(4)))
        func `writers beyond the dirty limit are slowed, not failed, and memory stays bounded`() throws {
            let server = try makeServer()
            let client = try MountedClient.loggedIn(to: server, name: "laptop")
            try client.mount(["--dirty-limit", "32M"])
            // Ten times the limit, from several writers; zeros and noise, so that uploads are real.
            try client.script(
                """
                head -c 4000000 /dev/urandom > /tmp/noise.$$
                for w in 1 2 3 4; do (for i in $(seq 20); do cat /tmp/noise.$$; echo $w $i; done > big$w) & done
                wait; rm /tmp/noise.$$; ls -l big* >/dev/null
                """, limitSeconds: 200)
            let pid = try #require(client.daemonPID)
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM") }
                .flatMap { $0.split(separator: " ").dropLast().last }.flatMap { Int($0) }
            #expect(try #require(peak) < 700_000, "kilobytes at most")
            #expect(try client.counters().heldWrites > 0, "slowed before they met the limit")
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script("sha256sum big*", limitSeconds: 200) == client.script("sha256sum big*"))
        }
    }
}
