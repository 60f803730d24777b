import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// The machine's suspend: nothing that waits for the daemon keeps it from coming, and afterwards all goes on.
    @Suite(.enabled(if: Machine.hasBus, "needs dbus-daemon, python3-dbus and python3-gi")) struct Sleep {
        @Test(.timeLimit(.minutes(3)))
        func `before a sleep reads that wait for the server end, and after it the server is asked again`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script("head -c 3000000 /dev/urandom > far; echo known > near")
            try writer.sync()
            let logind = try FakeSystemBus()
            let (client, proxy) = try makeClient(server, logind)
            try logind.expect("delayed by dbxfs")
            proxy.become(.stallBlocks)
            let reader = try start("/bin/cat", client.path("far"))
            try Shell.eventually("the read waits") { try client.counters().fuse("read") > 0 }

            try logind.announce(sleep: true)
            try logind.expect("released")
            reader.waitUntilExit()
            #expect(reader.terminationStatus != 0)
            #expect(try client.status().connection.detail == "this computer is about to sleep")
            let answer = try Shell.run(["cat", client.path("far")], limitSeconds: 20)
            #expect(answer.text.contains("Host is down"))
            try client.script("ls -l; mkdir made; df . >/dev/null", limitSeconds: 20)

            proxy.become(.pass)
            try logind.announce(sleep: false)
            try logind.expect("delayed by dbxfs")
            try client.waitFor(connection: "connected")
            #expect(try client.script("sha256sum far") == writer.script("sha256sum far"))
            try client.sync()
            try Shell.eventually("the folder is there") { try writer.script("ls").contains("made") }
        }

        @Test(.timeLimit(.minutes(3)))
        func `before a sleep writes that wait for room are let in`() throws {
            let server = try makeServer()
            let logind = try FakeSystemBus()
            let (client, proxy) = try makeClient(server, logind)
            try logind.expect("delayed by dbxfs")
            proxy.become(.blackHole)
            let writer = try start("/bin/dd", "if=/dev/zero", "of=\(client.path("big"))", "bs=1M", "count=24")
            try Shell.eventually("the writer has filled the room") { try client.counters().fuse("write") >= 16 }
            #expect(writer.isRunning)

            try logind.announce(sleep: true)
            try logind.expect("released")
            writer.waitUntilExit()
            #expect(writer.terminationStatus == 0)
            #expect(try client.script("stat -c %s big") == "\(24 << 20)")
            try logind.announce(sleep: false)
            try logind.expect("delayed by dbxfs")
        }

        @Test(.timeLimit(.minutes(2)))
        func `a sleep that was called off leaves everything as it was`() throws {
            let server = try makeServer()
            let logind = try FakeSystemBus()
            let (client, proxy) = try makeClient(server, logind)
            for _ in 0..<2 {
                try logind.expect("delayed by dbxfs")
                try logind.announce(sleep: true)
                try logind.announce(sleep: false)
                try logind.expect("released")
            }
            try logind.expect("delayed by dbxfs")
            try client.waitFor(connection: "connected")
            try client.script("echo x > f")
            try client.sync()
            withExtendedLifetime(proxy) {}
        }

        private func makeClient(
            _ server: ServerProcess, _ logind: FakeSystemBus
        ) throws -> (MountedClient, FaultProxy) {
            let proxy = try FaultProxy(to: server.port)
            let client = try MountedClient(server: server, name: "desk")
            client.extraEnvironment = logind.environment
            try #require(try client.login(url: proxy.url).code == 0)
            try client.mount(["--dirty-limit", "16M", "--read-timeout", "300"])
            return (client, proxy)
        }

        private func start(_ program: String, _ arguments: String...) throws -> Process {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = arguments
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            return process
        }
    }
}

extension Machine {
    static let hasBus: Bool = {
        FileManager.default.isExecutableFile(atPath: "/usr/bin/dbus-daemon")
            && (try? Shell.run(["/usr/bin/python3", "-c", "import dbus, gi"]).code) == 0
    }()
}
