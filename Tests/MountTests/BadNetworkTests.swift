import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Whatever the network does, no call hangs, and nothing is lost.
    @Suite struct BadNetwork {
        /// A computer that reaches its server through a proxy.
        private func mounted(_ server: ServerProcess, through proxy: FaultProxy, name: String) throws -> MountedClient {
            let client = try MountedClient(server: server, name: name)
            let output = try client.login(url: proxy.url)
            try #require(output.code == 0, "\(output.text)")
            try client.mount(["--read-timeout", "5"])
            return client
        }

        @Test(
            .timeLimit(.minutes(4)),
            arguments: [
                FaultProxy.Mode.refuse, .blackHole, .garbage, .portal, .cut(afterBytes: 40),
                .link(bytesPerSecond: 2_000, roundTripMilliseconds: 400),
            ])
        func `what is known goes on, what is not fails in time, and all is well afterwards`(
            _ fault: FaultProxy.Mode
        ) throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script("mkdir d; head -c 3000000 /dev/urandom > d/far; seq 1000 > d/near")
            try writer.sync()
            let proxy = try FaultProxy(to: server.port)
            let client = try mounted(server, through: proxy, name: "desk")
            let near = try client.script("cat d/near | sha256sum")

            proxy.become(fault)
            try client.script("echo new > d/new; mv d/new d/newer; mkdir e; ln d/newer e/link")
            #expect(try client.script("ls -lR >/dev/null; df . >/dev/null; cat d/near | sha256sum") == near)
            // The read ends by itself, or by a signal before.
            let read = try Shell.run(["timeout", "-s", "INT", "8", "cat", client.path("d/far")], limitSeconds: 30)
            if case .link = fault {} else { #expect(read.code != 0) }
            #expect(try client.script("stat -f . >/dev/null; sync -d d/newer; cat d/newer") == "new")
            #expect(try client.run(["status", "--json", client.mountPoint], limitSeconds: 20).code == 0)

            proxy.become(.pass)
            try client.waitFor(connection: "connected")
            try client.sync()
            #expect(try client.script("sha256sum < d/far") == writer.script("sha256sum < d/far"))
            try Shell.eventually("the other computer sees the work") {
                try Shell.run(["cat", writer.path("e/link")]).text == "new\n"
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `a mount whose server answers nothing is unmounted all the same, and keeps its work`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let client = try mounted(server, through: proxy, name: "desk")
            proxy.become(.blackHole)
            try client.script("head -c 2000000 /dev/urandom > kept")
            let sum = try client.script("sha256sum < kept")
            #expect(try client.run(["umount", client.mountPoint], limitSeconds: 30).code == 0)
            try client.mount()
            #expect(try client.script("sha256sum < kept") == sum)
            proxy.become(.pass)
            try client.waitFor(connection: "connected")
            try client.sync()
        }

        @Test(.timeLimit(.minutes(2)))
        func `connections that a router has forgotten hold up neither reads nor news nor work`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script(
                "mkdir d; for i in 1 2 3; do head -c 3000000 /dev/urandom > d/far$i; done; seq 1000 > d/near")
            try writer.sync()
            let proxy = try FaultProxy(to: server.port)
            let client = try mounted(server, through: proxy, name: "desk")
            try client.script("cat d/near d/far1 | sha256sum; echo own > own")
            try client.sync()
            for round in 2...3 {
                proxy.become(.forgotten)
                // Within the five seconds that a read may take.
                #expect(try client.script("sha256sum < d/far\(round)") == writer.script("sha256sum < d/far\(round)"))
                try writer.script("echo \(round) > d/news\(round)")
                try Shell.eventually("it is told the news", withinSeconds: 20) {
                    try Shell.run(["cat", client.path("d/news\(round)")]).text == "\(round)\n"
                }
                proxy.become(.forgotten)
                try client.script("echo \(round) > work\(round)")
                try Shell.eventually("its work goes up", withinSeconds: 20) {
                    try Shell.run(["cat", writer.path("work\(round)")]).text == "\(round)\n"
                }
                #expect(try client.status().connection.state == "connected")
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `uploads that are cut again and again come to their end`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let client = try mounted(server, through: proxy, name: "desk")
            try client.script("for i in $(seq 8); do head -c 1500000 /dev/urandom > f$i; done")
            for _ in 0..<6 {
                proxy.become(.refuse)
                usleep(300_000)
                proxy.become(.pass)
                usleep(500_000)
            }
            try Shell.eventually("everything is on the server", withinSeconds: 60) {
                try client.run(["sync", client.mountPoint]).code == 0
            }
            let other = try MountedClient.mounted(on: server, name: "laptop")
            #expect(try other.script("sha256sum f*") == client.script("sha256sum f*"))
        }

        @Test(.timeLimit(.minutes(2)))
        func `a server that has moved behind its name is found again`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let client = try mounted(server, through: proxy, name: "desk")
            let data = server.dataDirectory
            try client.script("echo before > f")
            try client.sync()
            server.stop()
            let moved = try ServerProcess.start(dataDirectory: data)
            proxy.become(.refuse)
            proxy.point(to: moved.port)
            proxy.become(.pass)
            try client.script("echo after > g")
            try client.waitFor(connection: "connected")
            try client.sync()
            #expect(try client.succeed(["ls"]) == "f\ng\n")
        }

        @Test(.timeLimit(.minutes(3)))
        func `hundreds of readers at once stay within bounds`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script("for i in $(seq 40); do head -c 1000000 /dev/urandom > f$i; done")
            try writer.sync()
            let client = try MountedClient.mounted(on: server, name: "desk")
            let sums = "for i in $(seq 40); do sha256sum < f$i; done"
            let expected = try writer.script(sums)
            try client.script(
                "for i in $(seq 500); do cat f$((i % 40 + 1)) > /dev/null & done; wait", limitSeconds: 150)
            #expect(try client.script(sums) == expected)
            let pid = try #require(client.daemonPID)
            let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
            #expect(open < 200)
        }
    }
}
