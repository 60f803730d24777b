import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Whatever is stopped or killed, nothing that a program was told is done is lost.
    @Suite struct Restarts {
        @Test(.timeLimit(.minutes(4)))
        func `a client killed with uploads pending goes on where it was`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            // With the server away nothing can have gone up by chance.
            server.stop()
            try client.script(
                "mkdir d; head -c 5000000 /dev/urandom > d/big; for i in $(seq 50); do echo $i > d/$i; done; mv d/1 d/one"
            )
            let sums = "find . -type f | LC_ALL=C sort | xargs sha256sum"
            let before = try client.script(sums)
            try client.crash()
            try client.mount()
            #expect(try client.script(sums) == before)
            try client.crash()
            try server.restart()
            try client.mount()
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script(sums) == before)
        }

        @Test(.timeLimit(.minutes(4)))
        func `a server killed in the middle of uploads loses nothing`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            for round in 1...3 {
                try client.script("head -c 4000000 /dev/urandom > file\(round); seq \(round) 1000 > small\(round)")
                usleep(1_300_000)
                server.kill()
                try server.restart()
            }
            try client.sync()
            let sums = "sha256sum *"
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script(sums) == client.script(sums))
        }

        @Test(.timeLimit(.minutes(3)))
        func `without its server a mount lists what it knows and reads what it has`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("mkdir d; echo known > d/file; seq 100000 > d/numbers")
            try client.unmount(wait: true)
            server.stop()
            try client.mount()
            #expect(try client.script("cat d/file; ls d; wc -l < d/numbers") == "known\nfile\nnumbers\n100000")
            try client.script("echo new > d/offline")
            try client.waitFor(connection: "offline")
            let output = try client.run(["sync", client.mountPoint])
            #expect(output.code == 4, "\(output.text)")
            try server.restart()
            try client.waitFor(connection: "connected")
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script("cat d/offline") == "new")
        }

        @Test(.timeLimit(.minutes(3)))
        func `what was never fetched fails at once while the server is away, and reads when it is back`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script("head -c 2000000 /dev/urandom > file")
            try writer.sync()
            let reader = try MountedClient.mounted(on: server, name: "desk")
            server.stop()
            try reader.waitFor(connection: "offline")
            #expect(try Shell.run(["cat", reader.path("file")], limitSeconds: 20).code == 1)
            try server.restart()
            try reader.waitFor(connection: "connected")
            #expect(try reader.script("sha256sum file") == writer.script("sha256sum file"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `umount keeps what is pending, umount --wait and sync return when it is on the server`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("head -c 3000000 /dev/urandom > a")
            try client.sync()
            #expect(try client.status().pending.files == 0)
            #expect(try client.succeed(["ls"]) == "a\n")
            try client.script("head -c 3000000 /dev/urandom > b")
            try client.unmount(wait: true)
            #expect(try client.succeed(["ls"]) == "a\nb\n")
            server.stop()
            try client.mount()
            try client.script("echo later > c")
            try client.unmount()
            #expect(try client.run(["logout"]).code == 5)
            try server.restart()
            #expect(try client.succeed(["ls"]) == "a\nb\n")
            try client.mount()
            #expect(try client.script("cat c") == "later")
            try client.unmount(wait: true)
            #expect(try client.succeed(["ls"]) == "a\nb\nc\n")
            #expect(try client.run(["logout"]).code == 0)
        }
    }
}
