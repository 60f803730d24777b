import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Ways to the server, and what it asks of its clients.
    @Suite struct Links {
        private static let sum = "cat $(ls d/* | sort) | sha256sum"
        private static let files = "mkdir d; for i in $(seq 50); do head -c $((i * 2000)) /dev/urandom > d/$i; done"

        @Test(.timeLimit(.minutes(2)))
        func `a server with an IPv6 address is one like any other`() throws {
            let server = try makeServer(listen: "[::1]:0")
            #expect(server.url == "http://[::1]:\(server.port)")
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script(Self.files)
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            #expect(try there.script(Self.sum) == here.script(Self.sum))
        }

        @Test(.timeLimit(.minutes(2)))
        func `a proxy that the environment names is used, but for this computer`() throws {
            let server = try makeServer(listen: "0.0.0.0:0")
            let fingerprint = server.greeting.replacing("Fingerprint: ", with: "")
            let proxy = try TunnelProxy()
            let client = try MountedClient(server: server, name: "desk")
            client.extraEnvironment = ["https_proxy": proxy.url]
            let options = ["--fingerprint", fingerprint]
            let host = "files.example:\(server.port)"
            let login = try client.login(url: "https://\(host)", options: options)
            try #require(login.code == 0, "\(login.text)")
            try client.mount()
            try client.script(Self.files)
            try client.sync()
            #expect(!proxy.targets.isEmpty && proxy.targets.allSatisfy { $0 == host })
            // Requests by the hundred go over as many connections as there are threads.
            #expect(proxy.targets.count < 40, "\(proxy.targets.count) tunnels")

            let near = try MountedClient(server: server, name: "near")
            near.extraEnvironment = client.extraEnvironment
            let before = proxy.targets.count
            #expect(try near.login(url: "https://127.0.0.1:\(server.port)", options: options).code == 0)
            try near.mount()
            #expect(try near.script(Self.sum) == client.script(Self.sum))
            #expect(proxy.targets.dropFirst(before).allSatisfy { $0 == host })
        }

        @Test(.timeLimit(.minutes(3)))
        func `a line put before a large file costs a few kilobytes, however it is saved`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let client = try MountedClient(server: server, name: "desk")
            try #require(try client.login(url: proxy.url).code == 0)
            try client.mount()
            let other = try MountedClient.mounted(on: server, name: "laptop")
            let outside = TemporaryDirectory()
            let copy = "\(outside.path)/copy"
            try client.script("head -c 40000000 /dev/urandom > file; cat file > \(copy)")
            try client.sync()
            for save in ["cat new > $OLDPWD/file", "cp new $OLDPWD/file.new; mv $OLDPWD/file.new $OLDPWD/file"] {
                // What the edit before this one makes here afterwards (polls, pulls of its own commit) is none of its bytes.
                usleep(1_500_000)
                let before = proxy.sentBytes + proxy.receivedBytes
                try client.script(
                    "cd \(outside.path); (echo another line; cat copy) > new; \(save); mv new copy")
                try client.sync()
                #expect(proxy.sentBytes + proxy.receivedBytes - before < 6_000, "\(save)")
                let sum = try client.script("sha256sum < \(copy)")
                try Shell.eventually("it arrives") { try other.script("sha256sum < file") == sum }
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a server that says when to come back is asked no sooner, and nothing is lost`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let client = try MountedClient(server: server, name: "desk")
            try #require(try client.login(url: proxy.url).code == 0)
            try client.mount()
            try client.script("echo 1 > first")
            try client.sync()
            try client.waitFor(connection: "connected")
            proxy.become(.busy(retryAfterSeconds: 20))
            let before = try client.counters()
            try client.script(Self.files)
            try Shell.eventually("it was turned away") { proxy.refusals > 0 }
            // Nothing is to happen now: within the 20 seconds that the server wants there is no event to wait for.
            usleep(8_000_000)
            // Each of the calls that can be under way at once was turned away once, not again and again.
            #expect(proxy.refusals <= 12, "\(proxy.refusals) requests")
            #expect(try client.counters().requests - before.requests <= 12)
            proxy.become(.pass)
            try Shell.eventually("it is asked again", withinSeconds: 60) {
                try client.status().connection.state == "connected"
            }
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "laptop")
            #expect(try other.script(Self.sum) == client.script(Self.sum))
        }
    }
}
