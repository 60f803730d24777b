import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Processes that are interrupted, ended, frozen or without memory, and a server that is not the trusted one for a
    /// while: nothing waits longer than it must, and nothing is lost.
    @Suite struct Signals {
        private func mounted(_ server: ServerProcess, through proxy: FaultProxy) throws -> MountedClient {
            let client = try MountedClient(server: server, name: "desk")
            try #require(try client.login(url: proxy.url).code == 0)
            try client.mount(["--read-timeout", "300"])
            return client
        }

        // timeout(1) that sends KILL ends by it too.
        @Test(.timeLimit(.minutes(2)), arguments: [("INT", Int32(130)), ("KILL", -9)])
        func `a read that waits for the server ends with the signal that its program gets`(
            signal: String, code: Int32
        ) throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script("head -c 3000000 /dev/urandom > far")
            try writer.sync()
            let proxy = try FaultProxy(to: server.port)
            let client = try mounted(server, through: proxy)
            proxy.become(.stallBlocks)
            let read = try Shell.run(
                ["timeout", "--preserve-status", "-s", signal, "1", "cat", client.path("far")], limitSeconds: 60)
            #expect(read.code == code)
            proxy.become(.pass)
            #expect(try client.script("sha256sum far") == writer.script("sha256sum far"))
        }

        @Test(.timeLimit(.minutes(2)))
        func `a daemon that is asked to end while its server answers nothing ends, and keeps everything`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let client = try mounted(server, through: proxy)
            proxy.become(.blackHole)
            try client.script("head -c 2000000 /dev/urandom > kept; mkdir d; mv kept d/kept")
            let sum = try client.script("sha256sum d/kept")
            let pid = try #require(client.daemonPID)
            kill(pid, SIGTERM)
            try Shell.eventually("the daemon has ended") { kill(pid, 0) != 0 }
            try client.mount()
            #expect(try client.script("sha256sum d/kept") == sum)
            proxy.become(.pass)
            try client.waitFor(connection: "connected")
            try client.sync()
            #expect(try client.succeed(["ls", "d"]) == "kept\n")
        }

        @Test(.timeLimit(.minutes(2)))
        func `a daemon that was frozen in the middle of an upload goes on where it was`() throws {
            let server = try makeServer()
            let proxy = try FaultProxy(to: server.port)
            let client = try mounted(server, through: proxy)
            proxy.become(.link(bytesPerSecond: 400_000, roundTripMilliseconds: 20))
            try client.script("for i in 1 2 3; do head -c 900000 /dev/urandom > f$i; done")
            let sums = try client.script("sha256sum f*")
            try Shell.eventually("it uploads") { proxy.sentBytes > 100_000 }
            let pid = try #require(client.daemonPID)
            kill(pid, SIGSTOP)
            let status = try client.run(["status"], limitSeconds: 60)
            #expect(status.code == 1 && status.text.contains("does not answer"), "\(status.text)")
            // To the server the client is gone.
            proxy.become(.refuse)
            proxy.become(.pass)
            kill(pid, SIGCONT)
            try Shell.eventually("everything is on the server", withinSeconds: 60) {
                try client.run(["sync", client.mountPoint]).code == 0
            }
            let other = try MountedClient.mounted(on: server, name: "laptop")
            #expect(try other.script("sha256sum f*") == sums)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a daemon without memory loses nothing`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "desk")
            let work = try FaultWorkload(in: client)
            try work.start()
            for headroom in [4, 1, 0] {
                try Shell.eventually("the writer works") { work.count("done") > 20 }
                let pid = try #require(client.daemonPID)
                let (done, failed) = (work.count("done"), work.count("failed"))
                try Shell.script(
                    """
                    size=$(awk '/VmSize/ {print $2}' /proc/\(pid)/status)
                    prlimit --pid \(pid) --as=$(((size + \(headroom << 10)) * 1024))
                    """)
                try Shell.eventually("it works on, or has ended") {
                    work.count("done") > done + 100 || work.count("failed") > failed
                }
                work.stop()
                // It may be gone already.
                _ = try? client.crash()
                _ = try Shell.run(["fusermount3", "-u", "-z", client.mountPoint])
                let check = try client.run(["fsck"])
                #expect(check.code == 0, "\(check.text)")
                try client.mount()
                #expect(try work.judge() == "right")
                try work.start()
            }
            work.stop()
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "laptop")
            #expect(try other.script("sha256sum work/f*") == client.script("sha256sum work/f*"))
        }

        @Test(.timeLimit(.minutes(2)))
        func `a server with another certificate gets nothing, until it has the trusted one again`() throws {
            let server = try makeServer(listen: "0.0.0.0:0")
            let fingerprint = server.greeting.replacing("Fingerprint: ", with: "")
            let client = try MountedClient(server: server, name: "desk")
            let url = "https://127.0.0.1:\(server.port)"
            try #require(try client.login(url: url, options: ["--fingerprint", fingerprint]).code == 0)
            try client.mount()
            try client.script("echo known > known")
            try client.sync()
            server.stop()
            try Shell.script("mkdir away; mv tls-cert.pem tls-key.pem away", in: server.dataDirectory)
            let impostor = try ServerProcess.start(
                dataDirectory: server.dataDirectory, listen: "0.0.0.0:\(server.port)")
            #expect(try client.script("echo new > new; cat known") == "known")
            try Shell.eventually("it is told") {
                try client.status().connection.detail?.contains("certificate") == true
            }
            #expect(try client.run(["sync", client.mountPoint]).code == 4)
            impostor.stop()
            try Shell.script("mv away/* .", in: server.dataDirectory)
            try server.restart(listen: "0.0.0.0")
            try client.sync()
            #expect(try client.succeed(["ls"]) == "known\nnew\n")
        }
    }
}
