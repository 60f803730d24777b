import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// What a computer keeps is damaged: the next mount works, says so, and loses nothing silently.
    @Suite struct DamagedState {
        /// A client with a file that the server has, one of which it has an older state, and unsent ones; killed, with the
        /// server away.
        private func prepared() throws -> (ServerProcess, MountedClient) {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script("mkdir d; seq 1000 > sent; head -c 3000000 /dev/urandom > d/changed; seq 5 > rewritten")
            try client.sync()
            server.stop()
            try client.script(
                """
                seq 2000 > d/unsent; chmod 750 d/unsent; mkdir -p new/deep; head -c 5000000 /dev/urandom > new/deep/big
                printf patch | dd of=d/changed bs=1 seek=100000 conv=notrunc,fsync status=none
                seq 77 > rewritten; sync rewritten new/deep/big .
                """)
            return (server, client)
        }

        private func garble(_ name: String, of client: MountedClient) throws {
            try Shell.script(
                "rm -f state.db-wal state.db-shm; head -c 60000 /dev/urandom > \(name)", in: client.dataDirectory)
        }

        private static let sums = "sha256sum sent rewritten d/unsent new/deep/big; stat -c %a d/unsent"

        @Test(.timeLimit(.minutes(4)))
        func `a mount over a damaged database brings back what only this computer had`() throws {
            let (server, client) = try prepared()
            let before = try client.script(Self.sums)
            let changed = try client.script("sha256sum < d/changed")
            try client.crash()
            try garble("state.db", of: client)
            try server.restart()
            let output = try client.succeed(["mount", client.mountPoint])
            #expect(output.contains("the local state was damaged") && output.contains("4 files"), "\(output)")
            #expect(try client.script(Self.sums) == before)
            // What was changed in part stands beside the version that the server has.
            #expect(try client.script("cat d/'changed (recovered from laptop '* | sha256sum") == changed)
            #expect(try client.script("sha256sum < d/changed") != changed)
            #expect(try client.succeed(["status"]).contains("recovered "))
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script(Self.sums) == before)
            let listed = try client.succeed(["recovered", "--dismiss"])
            #expect(listed.contains("restored    d/unsent") && listed.contains("copied      d/changed"), "\(listed)")
            #expect(try !client.succeed(["status"]).contains("recovered "))
            try client.unmount()
            #expect(try client.run(["fsck"]).code == 0)
        }

        @Test(.timeLimit(.minutes(4)))
        func `without its server such a mount says what it waits for, and keeps everything`() throws {
            let (server, client) = try prepared()
            let before = try client.script(Self.sums)
            try client.crash()
            try garble("state.db", of: client)
            for _ in 0..<2 {
                let refused = try client.run(["mount", client.mountPoint])
                #expect(refused.code == 4 && refused.text.contains("comes back then"), "\(refused.text)")
            }
            #expect(try client.succeed(["recovered"]).contains("waiting     new/deep/big"))
            #expect(try client.run(["logout"]).code == 5)
            try server.restart()
            try client.mount()
            #expect(try client.script(Self.sums) == before)
        }

        @Test(.timeLimit(.minutes(4)))
        func `nothing that stands in the tree meanwhile is overwritten`() throws {
            let (server, client) = try prepared()
            let ours = try client.script("cat rewritten")
            try client.crash()
            try garble("state.epoch", of: client)
            try server.restart()
            let other = try MountedClient.mounted(on: server, name: "desk")
            try other.script("echo theirs > rewritten; echo theirs > d/changed; mkdir new; echo theirs > new/deep")
            try other.sync()
            try client.mount()
            #expect(try client.script("cat rewritten d/changed new/deep") == "theirs\ntheirs\ntheirs")
            #expect(try client.script("cat 'rewritten (recovered from laptop '*") == ours)
            #expect(try client.script("wc -c < new/'big (recovered from laptop '*") == "5000000")
            #expect(try client.succeed(["recovered"]).contains("left aside  d/changed"))
        }

        @Test(.timeLimit(.minutes(4)), arguments: ["state.*", "segments", "../default"])
        func `a state that is deleted while mounted is told of, read from and sent, and not given up before`(
            part: String
        ) throws {
            let (server, client) = try prepared()
            let before = try client.script(Self.sums)
            try Shell.script("rm -rf \(part)", in: client.dataDirectory)
            #expect(try client.script("seq 2000 > d/unsent; " + Self.sums) == before)
            #expect(try Shell.run(["sync", client.path("d/unsent")]).text.contains("Input/output error"))
            #expect(try client.succeed(["status"]).contains("was deleted while it was mounted"))
            let refused = try client.run(["umount", client.mountPoint])
            #expect(refused.code == 4 && refused.text.contains("leave that running"), "\(refused.text)")
            try server.restart()
            try client.unmount()
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script(Self.sums) == before)
            // The token may be gone with the rest.
            try #require(try client.login().code == 0)
            try client.mount()
            #expect(try client.script(Self.sums) == before)
        }

        @Test(.timeLimit(.minutes(4)))
        func `unsent bytes that the disk has changed are an error to read, and are never sent`() throws {
            let (server, client) = try prepared()
            let good = try client.script("sha256sum new/deep/big")
            try client.unmount()
            // The same bytes everywhere in the segments: one of them turned around.
            try Shell.script(
                """
                python3 - <<'END'
                import glob
                needle = b"\\n1999\\n2000\\n"
                for name in glob.glob("segments/*.seg"):
                    with open(name, "r+b") as file:
                        place = file.read().find(needle)
                        if place >= 0:
                            file.seek(place + 2)
                            file.write(b"8")
                END
                """, in: client.dataDirectory)
            let check = try client.run(["fsck"])
            #expect(check.code == 9 && check.text.contains("staging"), "\(check.text)")
            try client.mount()
            #expect(try Shell.run(["cat", client.path("d/unsent")], limitSeconds: 20).code == 1)
            #expect(try client.script("sha256sum new/deep/big") == good)
            try server.restart()
            let sync = try client.run(["sync", client.mountPoint])
            #expect(sync.code == 5 && sync.text.contains("d/unsent") && sync.text.contains("damaged"), "\(sync.text)")
            let other = try MountedClient.mounted(on: server, name: "desk")
            #expect(try other.script("sha256sum new/deep/big; ls d") == good + "\nchanged")
            try client.script("seq 9 > d/unsent")
            try client.sync()
            try Shell.eventually("the file is there") { try other.script("cat d/unsent 2>/dev/null | wc -l") == "9" }
        }
    }
}
