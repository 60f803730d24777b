import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// What a person asks of sync, and tells it.
    @Suite struct SyncCommands {
        private struct PathState: Decodable {
            struct Item: Decodable {
                var path: String
                var state: String?
            }
            var path: String
            var state: String
            var size: Int64
            var cachedBytes: Int64
            var pendingBytes: Int64
            var pendingCount: Int
            var items: [Item]
        }

        private struct Record: Decodable {
            var number: Int64
            var direction: String
            var action: String
            var path: String
            var from: String?
            var line: String {
                "\(direction) \(action) \(from.map { $0 + " -> " } ?? "")\(path)"
            }
        }

        private func state(_ client: MountedClient, _ path: String) throws -> PathState {
            let text = try client.succeed(["status", "--json", client.path(path)])
            return try #require(try JSONDecoder().decode([PathState].self, from: Data(text.utf8)).first)
        }

        private func activity(_ client: MountedClient) throws -> [Record] {
            try client.succeed(["activity", "--json", "-n", "1000"]).split(separator: "\n")
                .map { try JSONDecoder().decode(Record.self, from: Data($0.utf8)) }
        }

        private func attribute(_ client: MountedClient, _ name: String, _ path: String) throws -> String {
            try client.script("getfattr --only-values -n user.dbxfs.\(name) '\(path)'")
        }

        @Test(.timeLimit(.minutes(3)))
        func `the state of each file and folder is told, by command and by attribute`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.succeed(["pause"])
            try here.script("mkdir -p d/e; head -c 100000 /dev/urandom > d/e/file; echo x > top")
            #expect(try state(here, "d/e/file").state == "local-only")
            #expect(try state(here, "d/e/file").pendingBytes == 100_000)
            #expect(try attribute(here, "state", "d/e/file") == "local-only")
            #expect(try attribute(here, "pending", "d/e/file") == "100000")
            #expect(try attribute(here, "state", ".") == "pending")
            try here.succeed(["resume"])
            try here.sync()
            #expect(try state(here, "d").state == "synced")
            #expect(try attribute(here, "state", "d/e/file") == "synced")
            #expect(try attribute(here, "cached", "d/e/file") == "100000")
            // A second computer knows the file and has nothing of it.
            let there = try MountedClient.mounted(on: server, name: "there")
            #expect(try state(there, "d/e/file").state == "online-only")
            #expect(try attribute(there, "cached", "d/e/file") == "0")
            try there.script("cat d/e/file > /dev/null")
            #expect(try state(there, "d/e/file").state == "synced")
            #expect(try state(there, "d/e/file").cachedBytes == 100_000)
            // What is changed, and what is gone, makes the folders above pending.
            try here.succeed(["pause"])
            try here.script("echo more >> d/e/file; rm top")
            let folder = try state(here, "d")
            #expect(folder.state == "pending")
            #expect(folder.items.map(\.path) == ["d/e/file"])
            #expect(try attribute(here, "state", "d") == "pending")
            let all = try here.run(["status", here.mountPoint + "/d", here.mountPoint])
            #expect(all.code == 0)
            #expect(all.text.contains("deleted     top"))
            #expect(try here.run(["status", here.path("nothing")]).code == 1)
        }

        @Test(.timeLimit(.minutes(3)))
        func `attributes that tell of sync are never listed, copied or changed`() throws {
            let server = try makeServer()
            let client = try MountedClient.mounted(on: server, name: "laptop")
            try client.script(
                """
                echo x > file; setfattr -n user.mine -v 1 file
                [ "$(getfattr -d -m - file | grep -c dbxfs)" = 0 ]; getfattr -d -m - file | grep -q user.mine
                cp --preserve=xattr file copy; getfattr -d -m - copy | grep -q user.mine
                ! setfattr -n user.dbxfs.state -v synced file 2>/dev/null
                ! setfattr -x user.dbxfs.state file 2>/dev/null
                ! getfattr -n user.dbxfs.nothing file 2>/dev/null
                rsync -aX file synced; tar --xattrs -cf archive.tar file; tar --xattrs -tf archive.tar >/dev/null
                """)
        }

        @Test(.timeLimit(.minutes(3)))
        func `activity shows what was sent and received, also after a restart`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            func both(_ script: String) throws {
                try here.script(script)
                try here.sync()
                let count = try activity(here).count
                try Shell.eventually("there has all of it") { try activity(there).count >= count }
            }
            try both("mkdir d")
            try both("echo one > d/file")
            try both("echo two >> d/file")
            try both("mv d/file moved")
            try both("chmod 600 moved")
            try both("echo new > .moved.tmp; mv .moved.tmp moved")
            try both("rm moved")
            let expected = [
                "created d", "created d/file", "changed d/file", "renamed d/file -> moved", "attributes moved",
                "changed moved", "deleted moved",
            ]
            #expect(try activity(here).map(\.line) == expected.map { "sent " + $0 })
            #expect(try activity(there).map(\.line) == expected.map { "received " + $0 })
            try here.unmount()
            try here.mount()
            try both("mkdir e")
            let after = try activity(here)
            #expect(after.map(\.number) == Array(1...8))
            #expect(after.last?.line == "sent created e")
        }

        @Test(.timeLimit(.minutes(3)))
        func `a pause keeps everything here and everything else there, until it ends`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.succeed(["pause"])
            try here.script("echo mine > mine")
            try there.script("echo theirs > theirs")
            try there.sync()
            let sync = try here.run(["sync"])
            #expect(sync.code == 5)
            #expect(sync.text.contains("dbxfs resume"))
            #expect(try here.succeed(["status"]).contains("paused"))
            // It holds over a restart.
            try here.unmount()
            try here.mount()
            #expect(try here.run(["sync"]).code == 5)
            #expect(!FileManager.default.fileExists(atPath: here.path("theirs")))
            #expect(!FileManager.default.fileExists(atPath: there.path("mine")))
            try here.succeed(["resume"])
            try here.sync()
            for (client, name) in [(here, "theirs"), (there, "mine")] {
                try Shell.eventually("\(client.name) has \(name)") {
                    FileManager.default.fileExists(atPath: client.path(name))
                }
            }
            // It may be told without a mount, and ends by itself.
            try here.unmount()
            try here.succeed(["pause", "--for", "1s"])
            try here.mount()
            try here.script("echo later > later")
            try Shell.eventually("the pause has ended") { try here.run(["sync"]).code == 0 }
            #expect(try here.run(["pause", "--for", "soon"]).code == 2)
        }

        private struct Conflict: Decodable {
            var path: String
            var keptAs: String
            var device: String
            var ourSize: Int64
            var theirSize: Int64?
        }

        private func conflicts(_ client: MountedClient) throws -> [Conflict] {
            try JSONDecoder().decode([Conflict].self, from: Data(client.succeed(["conflicts", "--json"]).utf8))
        }

        /// Both write each of the files while `here` is paused; `there` is first at the server.
        private func makeConflicts(_ here: MountedClient, _ there: MountedClient, _ names: [String]) throws {
            let list = names.joined(separator: " ")
            try here.script("for f in \(list); do echo base > $f; done")
            try here.sync()
            try Shell.eventually("there has them") {
                try Shell.run(["bash", "-c", "cat \(list)"], in: there.mountPoint).code == 0
            }
            try here.succeed(["pause"])
            try here.script("for f in \(list); do echo here > $f; done")
            try there.script("for f in \(list); do echo from there > $f; done")
            try there.sync()
            try here.succeed(["resume"])
            try here.sync()
        }

        @Test(.timeLimit(.minutes(3)))
        func `conflicts are listed until somebody settles them, by command or by hand`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try makeConflicts(here, there, ["ours", "theirs", "both", "hand"])
            // A restart forgets none.
            try here.unmount(wait: true)
            try here.mount()
            let found = try conflicts(here)
            #expect(Set(found.map(\.path)) == ["ours", "theirs", "both", "hand"])
            #expect(found.allSatisfy { $0.device == "here" && $0.ourSize == 5 && $0.theirSize == 11 })
            #expect(try conflicts(there).isEmpty)
            #expect(try state(here, "ours").state == "conflicted")
            #expect(try attribute(here, "state", ".") == "conflicted")
            #expect(try here.succeed(["status"]).contains("dbxfs conflicts"))
            for choice in ["ours", "theirs", "both"] {
                try here.succeed(["conflicts", "resolve", here.path(choice), "--keep", choice])
            }
            #expect(try conflicts(here).map(\.path) == ["hand"])
            try here.script("rm hand*conflicted*")
            #expect(try conflicts(here).isEmpty)
            #expect(try here.script("cat ours theirs both both*conflicted*") == "here\nfrom there\nfrom there\nhere")
            #expect(try here.script("ls | wc -l").trimmingCharacters(in: .whitespacesAndNewlines) == "5")
            try here.sync()
            try Shell.eventually("there sees the choice") {
                try there.script("cat ours both*conflicted*; ls | wc -l") == "here\nhere\n5"
            }
            #expect(try here.run(["conflicts", "resolve", here.path("ours"), "--keep", "ours"]).code == 1)
            #expect(try here.run(["conflicts", "resolve", here.path("ours"), "--keep", "mine"]).code == 2)
        }

        @Test(.timeLimit(.minutes(3)))
        func `where the last write wins, the later version stays and nothing is kept twice`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here", options: ["--conflicts", "last-write-wins"])
            let there = try MountedClient.mounted(on: server, name: "there")
            try makeConflicts(here, there, ["file"])
            #expect(try here.script("cat file; ls | wc -l") == "from there\n1")
            #expect(try conflicts(here).isEmpty)
            #expect(try here.run(["mount", "--conflicts", "mine"]).code == 2)
        }

        @Test(.timeLimit(.minutes(3)))
        func `equal contents are no conflict, and names that only look alike are told`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.succeed(["pause"])
            for client in [here, there] { try client.script("seq 100000 > same; mkdir d; echo x > d/y") }
            try there.sync()
            try here.succeed(["resume"])
            try here.sync()
            #expect(try conflicts(here).map(\.keptAs) == [])
            #expect(try here.script("ls . d | xargs") == ".: d same d: y")
            try here.script("touch d/Note d/note; touch caf$'\\u00e9' cafe$'\\u0301'")
            let status = try here.succeed(["status"])
            #expect(status.contains("d/Note, d/note"))
            #expect(status.components(separatedBy: "differ only by case or form").count == 3)
            #expect(try here.succeed(["status", here.path("d")]).contains("d/Note, d/note"))
        }

        @Test(.timeLimit(.minutes(4)))
        func `a mass deletion waits for an answer, over a restart too, and is undone or let go by one command`() throws
        {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("mkdir -p a b; for i in $(seq 60); do echo $i > a/$i; echo $i > b/$i; done")
            try here.sync()
            try here.unmount(wait: true)
            let config = here.home + "/config/dbxfs/default/config.json"
            var settings = try #require(
                JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: config))) as? [String: Any])
            settings["guardMinimum"] = 50
            settings["guardAgeSeconds"] = 0
            try JSONSerialization.data(withJSONObject: settings).write(to: URL(fileURLWithPath: config))
            try here.mount()
            let tree =
                "find . -printf '%P %y %m %s\\n' | LC_ALL=C sort; cat $(find . -type f | LC_ALL=C sort) | sha256sum"
            let before = try here.script(tree)
            #expect(try here.run(["guard", "undo"]).code == 1)
            #expect(try here.succeed(["guard"]).contains("Nothing"))
            // All of it at one moment, however slow the machine: what goes up before there is too much is gone.
            try here.succeed(["pause"])
            try here.script("rm -rf a; for i in $(seq 30); do echo secret > b/$i; done")
            try here.succeed(["resume"])
            let sync = try here.run(["sync"])
            #expect(sync.code == 5)
            #expect(sync.text.contains("dbxfs guard confirm"))
            #expect(try here.succeed(["status"]).contains("held back"))
            try here.unmount()
            try here.mount()
            try Shell.eventually("it is held after a restart") { try here.succeed(["guard"]).contains("held back") }
            #expect(try here.succeed(["guard", "undo"]).contains("Undone"))
            #expect(try here.script(tree) == before)
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            #expect(try there.script(tree) == before)
            try here.succeed(["pause"])
            try here.script("rm -rf a")
            try here.succeed(["resume"])
            #expect(try here.run(["sync"]).code == 5)
            try here.succeed(["guard", "confirm"])
            try here.sync()
            try Shell.eventually("there sees it") { !FileManager.default.fileExists(atPath: there.path("a")) }
            #expect(try here.run(["guard", "maybe"]).code == 2)
        }

        @Test(.timeLimit(.minutes(3)))
        func `limits of rates are kept, shown and taken back`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            #expect(try here.succeed(["limit", "--up", "2M", "--down", "1M/s"]).contains("2.00 MiB/s"))
            try here.script("head -c 3000000 /dev/urandom > file")
            try here.sync()
            try here.unmount()
            try here.mount()
            #expect(try here.succeed(["status"]).contains("up 2.00 MiB/s, down 1.00 MiB/s"))
            let there = try MountedClient.mounted(on: server, name: "there")
            try there.succeed(["limit", "--down", "2M"])
            #expect(try there.script("sha256sum < file") == here.script("sha256sum < file"))
            #expect(try here.run(["limit", "--up", "1"]).code == 2)
            try here.succeed(["limit", "--up", "none", "--down", "none"])
            #expect(try here.succeed(["limit"]).contains("no limit"))
        }
    }
}
