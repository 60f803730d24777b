import DbxTestKit
import Testing

extension MountTests {
    /// What changes again at once is sent once, and what is small does not wait for what is large.
    @Suite struct Coalescing {
        @Test(.timeLimit(.minutes(3)))
        func `what is made and removed again at once costs the server nothing`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("mkdir build")
            try client.sync()
            let before = try client.counters()
            try client.script(
                """
                python3 - <<'END'
                import os
                for i in range(3000):
                    path = "build/%d.o" % i
                    with open(path, "wb") as file: file.write(os.urandom(500))
                    os.rename(path, path + ".tmp")
                    os.unlink(path + ".tmp")
                END
                """)
            try client.sync()
            let after = try client.counters()
            #expect(after.uploadedBytes - before.uploadedBytes < 20_000)
            #expect(after.rows("entry") - before.rows("entry") < 60)
            #expect(after.commits - before.commits < 20)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a row of saves by an editor is sent once or twice`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("head -c 100000 /dev/urandom > text")
            try client.sync()
            let before = try client.counters()
            try client.script(
                """
                for i in $(seq 40); do
                    : > .~lock.text
                    head -c 100000 /dev/urandom > .text.swp
                    mv .text.swp text
                    rm .~lock.text
                done
                """)
            try client.sync()
            let after = try client.counters()
            #expect(after.uploadedBytes - before.uploadedBytes < 400_000)
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script("sha256sum *; ls -A") == client.script("sha256sum *; ls -A"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a small file is elsewhere before a large one that was there first`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let here = try MountedClient(server: server, name: "here")
            try #require(here.login(url: proxy.url).code == 0)
            try here.mount()
            let there = try MountedClient.mounted(on: server, name: "there")
            proxy.become(.link(bytesPerSecond: 2_000_000, roundTripMilliseconds: 20))
            try here.script("head -c 150000000 /dev/urandom > large")
            try Shell.eventually("the large file is on its way") { try here.counters().uploadedBytes > 5_000_000 }
            try here.script("echo words > small")
            try Shell.eventually("the small one is there", withinSeconds: 60) {
                try there.script("cat small 2>/dev/null || :") == "words"
            }
            #expect(try there.script("ls") == "small")
            proxy.become(.pass)
            try here.sync()
            #expect(try there.script("sha256sum large") == here.script("sha256sum large"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a small file is elsewhere before many large ones that were there first`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let here = try MountedClient(server: server, name: "here")
            try #require(here.login(url: proxy.url).code == 0)
            try here.mount()
            let there = try MountedClient.mounted(on: server, name: "there")
            proxy.become(.link(bytesPerSecond: 200_000, roundTripMilliseconds: 20))
            try here.script("mkdir photos; for i in $(seq 100); do head -c 1500000 /dev/urandom > photos/$i; done")
            try Shell.eventually("the large files are on their way") { try here.counters().uploadedBytes > 2_000_000 }
            try here.script("echo words > small")
            try Shell.eventually("the small one is there", withinSeconds: 60) {
                try there.script("cat small 2>/dev/null || :") == "words"
            }
            let arrived = try #require(try Int(there.script("ls photos | wc -l")))
            #expect(arrived < 50)
            proxy.become(.pass)
            try here.sync()
            let sums = "cd photos && sha256sum *"
            #expect(try there.script(sums) == here.script(sums))
        }
    }
}
