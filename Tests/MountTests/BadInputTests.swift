import DbxTestKit
import Foundation
import Glibc
import Testing

extension MountTests {
    /// Wrong input gets a message that says what to do, and the documented exit code.
    @Suite struct BadInput {
        @Test(.timeLimit(.minutes(2)))
        func `login refuses a wrong password, a dead server, a strange certificate and a bad address`() throws {
            let server = try makeServer(listen: "127.0.0.1:0")
            let client = try MountedClient(server: server, name: "laptop")
            let wrong = try client.login(password: "wrong password")
            #expect(wrong.code == 3)
            #expect(wrong.text.contains("user name and password"))
            #expect(try client.login(url: "http://127.0.0.1:1").code == 4)
            #expect(try client.login(url: "http://example.org").code == 2)
            #expect(try client.login(url: "nonsense").code == 2)
            #expect(try client.run(["login"]).code == 2)
            #expect(try client.run(["ls"]).code == 3)
            #expect(try client.run(["mount", client.mountPoint]).code == 3)
        }

        @Test(.timeLimit(.minutes(2)))
        func `a certificate is pinned by its fingerprint, and another one is refused`() throws {
            let server = try makeServer(listen: "0.0.0.0:0")
            let url = "https://127.0.0.1:\(server.port)"
            let fingerprint = server.greeting.replacing("Fingerprint: ", with: "")
            let client = try MountedClient(server: server, name: "laptop")
            let unknown = try client.login(url: url)
            #expect(unknown.code == 8)
            #expect(unknown.text.contains(fingerprint))
            let other = "SHA256:" + String(repeating: "00", count: 32)
            #expect(try client.login(url: url, options: ["--fingerprint", other]).code == 8)
            #expect(try client.login(url: url, options: ["--fingerprint", fingerprint]).code == 0)
            try client.mount()
            try client.script("echo text > file")
            try client.unmount(wait: true)
            // The same address with another identity.
            server.stop()
            for file in ["tls-cert.pem", "tls-key.pem"] {
                try FileManager.default.removeItem(atPath: server.dataDirectory + "/" + file)
            }
            let impostor = try ServerProcess.start(
                dataDirectory: server.dataDirectory, listen: "0.0.0.0:\(server.port)")
            defer { impostor.stop() }
            let refused = try client.run(["ls"])
            #expect(refused.code == 8, "\(refused.text)")
        }

        @Test(.timeLimit(.minutes(2)))
        func `a revoked device is told so, and keeps its work`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            let other = try MountedClient.loggedIn(to: server, name: "desk")
            let line = try #require(
                try other.succeed(["devices"]).split(separator: "\n").first { $0.contains("laptop") })
            try other.succeed(["devices", "revoke", String(line.prefix(32))])
            try client.script("echo kept > file")
            try client.waitFor(connection: "refused")
            let sync = try client.run(["sync", client.mountPoint])
            #expect(sync.code == 3, "\(sync.text)")
            #expect(sync.text.contains("dbxfs login"))
            try client.unmount()
            #expect(try client.run(["devices"]).code == 3)
            #expect(try client.login().code == 0)
            try client.mount()
            try client.sync()
            #expect(try other.succeed(["ls"]) == "file\n")
        }

        @Test(.timeLimit(.minutes(2)))
        func `mount points that are missing, no directory, not empty or in use are refused`() throws {
            let server = try makeServer()
            let client = try MountedClient.loggedIn(to: server, name: "laptop")
            #expect(try client.run(["mount", client.home + "/missing"]).code == 6)
            try Shell.script("touch file; mkdir full; touch full/inside", in: client.home)
            #expect(try client.run(["mount", client.home + "/file"]).code == 6)
            let full = try client.run(["mount", client.home + "/full"])
            #expect(full.code == 6)
            #expect(full.text.contains("not empty"))
            try client.mount()
            let twice = try client.run(["mount", client.mountPoint])
            #expect(twice.code == 6)
            #expect(twice.text.contains("already mounted"))
            #expect(try client.run(["mount", client.home + "/full"]).code == 6)
            #expect(try client.run(["mount", client.mountPoint, "--cache-size", "many"]).code == 2)
        }

        @Test(.timeLimit(.minutes(2)))
        func `a mount in use is not taken away, and one that is gone is said to be gone`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("echo text > file")
            let handle = try #require(FileHandle(forReadingAtPath: client.path("file")))
            let busy = try client.run(["umount", client.mountPoint])
            #expect(busy.code == 5 && busy.text.contains("(pid \(getpid()))"), "\(busy.text)")
            try handle.close()
            // Started in it, it does not keep it busy itself.
            let inside = try Shell.run(
                ["bash", "-c", "cd \(client.mountPoint) && exec \(ServerProcess.productsDirectory)/dbxfs umount ."],
                environment: client.environment)
            #expect(inside.code == 0, "\(inside.text)")
            #expect(try client.run(["umount", client.mountPoint]).code == 7)
            #expect(try client.run(["status"]).code == 7)
            #expect(try client.run(["sync"]).code == 7)
            #expect(try client.run(["status", "--frob"]).code == 2)
            #expect(try client.run(["--profile", "../x"]).code == 2)
        }

        @Test(.timeLimit(.minutes(2)))
        func `a mount left by a killed daemon is replaced`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("echo text > file")
            let pid = try #require(client.daemonPID)
            kill(pid, SIGKILL)
            try Shell.eventually("the daemon is gone") { kill(pid, 0) != 0 }
            #expect(try client.run(["status"]).code == 7)
            try client.mount()
            #expect(try client.script("cat file") == "text")
        }

        @Test(.timeLimit(.minutes(2)))
        func `credentials and state are readable by their owner only`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("echo text > file")
            let open = try Shell.script(
                "find config data run/dbxfs \\( -type d -perm /077 -o -type f -perm /077 -o -type s -perm /077 \\) -print",
                in: client.home)
            #expect(open.isEmpty, "open to others: \(open)")
        }

        @Test(
            .timeLimit(.minutes(2)),
            .enabled(
                if: geteuid() == 0 && Machine.anyoneMayOpenFuse,
                "becomes another user, so needs root and /dev/fuse with mode 0666, as udev makes it"))
        func `an ordinary user mounts, works and unmounts`() throws {
            let server = try makeServer()
            // The build's directory may be closed to others.
            let binary = "/tmp/dbxfs-ordinary-\(getpid())"
            try Shell.script("install -m 755 \(ServerProcess.productsDirectory)/dbxfs \(binary)")
            defer { unlink(binary) }
            let prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
            let client = try MountedClient.loggedIn(to: server, name: "laptop", prefix: prefix, binary: binary)
            try Shell.script("chown 65534:65534 \(client.mountPoint)")
            try client.mount()
            let work = "cd \(client.mountPoint) && echo mine > file && stat -c %u file && cat file"
            let output = try Shell.run(prefix + ["bash", "-c", work])
            #expect(output.text == "65534\nmine\n")
            // Not even root looks into another user's mount without --allow-other.
            #expect(try Shell.run(["ls", client.mountPoint]).code != 0)
            try client.unmount(wait: true)
            #expect(try client.succeed(["ls"]) == "file\n")
        }
    }
}
