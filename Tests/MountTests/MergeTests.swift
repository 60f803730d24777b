import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Texts that two computers changed, in folders that merge them.
    @Suite struct Merging {
        private struct Conflict: Decodable {
            var path: String
            var keptAs: String
            var merge: String?
        }

        private struct Rule: Decodable, Equatable {
            var path: String
            var isOn: Bool
            var from: String?
        }

        private func conflicts(_ client: MountedClient) throws -> [Conflict] {
            try JSONDecoder().decode([Conflict].self, from: Data(client.succeed(["conflicts", "--json"]).utf8))
        }

        /// Names and contents below the folder.
        private func shown(_ client: MountedClient, _ folder: String = "notes") throws -> String {
            try client.script(
                "cd '\(folder)'; for f in *; do [ -f \"$f\" ] && echo \"$f: $(tr '\\n' ' ' < \"$f\")\"; done; :")
        }

        private static let save = "sed -i"
        /// Writes into the file that is there.
        private static let edit =
            "change() { sed \"$1\" \"$2\" > /tmp/dbxfs-merge.$$; cat /tmp/dbxfs-merge.$$ > \"$2\"; }; change"

        /// Computers that know a folder in which texts are merged, with `f` of nine lines in it.
        private func computers(_ names: [String]) throws -> (ServerProcess, [MountedClient]) {
            let server = try makeServer()
            let clients = try names.map { try MountedClient.mounted(on: server, name: $0) }
            try clients[0].script("mkdir notes; seq 1 9 > notes/f; printf 'not\\0text' > notes/binary")
            try clients[0].succeed(["merge", "on", clients[0].path("notes")])
            try clients[0].sync()
            for client in clients {
                try Shell.eventually("\(client.name) has it") { try client.script("wc -l < notes/f || :") == "9" }
                try Shell.eventually("\(client.name) knows that it merges") {
                    try client.script("getfattr --only-values -n user.merge notes || :") == "text"
                }
            }
            return (server, clients)
        }

        /// `there` is first at the server, `here` meets what it did.
        private func meet(
            _ here: MountedClient, _ mine: String, _ there: MountedClient, _ theirs: String
        ) throws {
            try here.succeed(["pause"])
            try here.script("cd notes; \(mine)")
            try there.script("cd notes; \(theirs)")
            try there.sync()
            try here.succeed(["resume"])
        }

        private func expect(_ clients: [MountedClient], _ text: String, _ folder: String = "notes") throws {
            for client in clients {
                try Shell.eventually("\(client.name) shows \(text)", withinSeconds: 30) {
                    try shown(client, folder).contains(text) && !shown(client, folder).contains("conflicted copy")
                }
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `different lines changed on two computers become one text`() throws {
            let (server, clients) = try computers(["here", "there"])
            let (here, there) = (clients[0], clients[1])
            try here.script("for n in 1 2 3 4; do seq 1 9 > notes/f$n; done")
            try here.sync()
            try Shell.eventually("there has it") { try there.script("cat notes/f? | wc -l || :") == "36" }
            // Written in place or replaced by a new file, on either side.
            let ways = [(Self.edit, Self.edit), (Self.edit, Self.save), (Self.save, Self.edit), (Self.save, Self.save)]
            let numbered = ways.enumerated().map { (number: $0 + 1, ways: $1) }
            try meet(
                here, numbered.map { "\($0.ways.0) s/2/two/ f\($0.number)" }.joined(separator: "; ") + "; chmod 700 f?",
                there, numbered.map { "\($0.ways.1) s/8/eight/ f\($0.number)" }.joined(separator: "; "))
            for (number, _) in numbered { try expect(clients, "f\(number): 1 two 3 4 5 6 7 eight 9 ") }
            #expect(try conflicts(here).isEmpty)
            #expect(try there.script("stat -c %a notes/f? | tr '\\n' ' '") == "700 700 700 700 ")
            let activity = try here.succeed(["activity"])
            for (number, _) in numbered { #expect(activity.contains("merged    changed     notes/f\(number)  (24 B)")) }
            // What each of them had written is kept by the server: versions that have ended, with their blocks.
            try here.sync()
            let ended =
                "SELECT count(*) FROM segments WHERE to_seq IS NOT NULL AND EXISTS (SELECT 1 FROM segment_blocks b"
            let count = try Shell.script(
                "sqlite3 \"$(ls '\(server.dataDirectory)'/*.db)\" \"\(ended) WHERE b.node_id = segments.node_id)\"")
            #expect(Int(count) == 12, "of each file the base, theirs and ours: \(count)")
            #expect(try server.run(["fsck", "--data", server.dataDirectory]).code == 0)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a third computer that comes late, and a file that was moved`() throws {
            let (_, clients) = try computers(["here", "there", "late"])
            let (here, there, late) = (clients[0], clients[1], clients[2])
            try late.succeed(["pause"])
            try late.script("\(Self.edit) s/5/five/ notes/f")
            try meet(here, "\(Self.edit) s/2/two/ f", there, "\(Self.save) s/8/eight/ f")
            try expect([here, there], "f: 1 two 3 4 5 6 7 eight 9 ")
            try late.succeed(["resume"])
            try expect(clients, "f: 1 two 3 4 five 6 7 eight 9 ")
            // Moved there and changed on both sides: it is one file where they moved it to.
            try meet(here, "\(Self.edit) s/1/one/ f", there, "mkdir d; mv f d/g; \(Self.edit) s/9/nine/ d/g")
            try expect(clients, "g: one two 3 4 five 6 7 eight nine ", "notes/d")
            try expect(clients, "binary")
            for client in clients { #expect(try conflicts(client).isEmpty) }
            #expect(try here.script("ls notes") == "binary\nd")
        }

        @Test(.timeLimit(.minutes(3)))
        func `what cannot be merged stays as two files, and is told why`() throws {
            let (_, clients) = try computers(["here", "there"])
            let (here, there) = (clients[0], clients[1])
            try here.script("mkdir notes/old; seq 1 9 > notes/old/f")
            try here.succeed(["merge", "off", here.path("notes/old")])
            try here.sync()
            try Shell.eventually("there has it") {
                try there.script("getfattr --only-values -n user.merge notes/old || :") == "off"
            }
            try meet(
                here, "sed -i s/2/two/ f; echo x >> binary; sed -i s/2/two/ old/f; echo a > new",
                there, "sed -i s/3/three/ f; echo y >> binary; sed -i s/8/eight/ old/f; echo b > new")
            try Shell.eventually("all is told") {
                try conflicts(here).map { "\($0.path) \($0.merge ?? "-")" }.sorted() == [
                    "notes/binary no-text", "notes/f overlap", "notes/new no-base", "notes/old/f -",
                ]
            }
            let told = try here.succeed(["conflicts"])
            #expect(told.contains("merge   not possible: both changed the same lines, or lines next to each other"))
            try here.sync()
            #expect(try shown(there).contains("conflicted copy from here"))
            #expect(try shown(there, "notes/old").contains("conflicted copy from here"))
            // A person settles it as everywhere else.
            try here.succeed(["conflicts", "resolve", here.path("notes/f"), "--keep", "ours"])
            try here.sync()
            try Shell.eventually("there shows it") { try shown(there).contains("f: 1 two 3 4 5 6 7 8 9 ") }
        }

        @Test(.timeLimit(.minutes(3)))
        func `no conflict, no merge: a file that one side deleted, and the last write`() throws {
            let (_, clients) = try computers(["here", "there"])
            let (here, there) = (clients[0], clients[1])
            try meet(here, "\(Self.edit) s/2/two/ f", there, "rm f")
            try expect(clients, "f: 1 two 3 4 5 6 7 8 9 ")
            try here.sync()
            try here.unmount()
            try here.mount(["--conflicts", "last-write-wins"])
            try meet(here, "\(Self.edit) s/3/three/ f; touch -d '+1 hour' f", there, "\(Self.edit) s/8/eight/ f")
            try expect(clients, "f: 1 two three 4 5 6 7 8 9 ")
            #expect(try !here.succeed(["activity"]).contains("merged"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a merge goes on after kills, and waits for programs`() throws {
            let (_, clients) = try computers(["here", "there"])
            let (here, there) = (clients[0], clients[1])
            // Contents wait, so that each step stands still: the copy has to go up first.
            try here.succeed(["limit", "--metered", "on"])
            try meet(here, "\(Self.edit) s/2/two/ f", there, "\(Self.edit) s/8/eight/ f")
            try Shell.eventually("there is a conflict") { try conflicts(here).first?.merge == "waiting" }
            try here.crash()
            try here.mount()
            #expect(try conflicts(here).first?.merge == "waiting")
            // While a program writes to the file, it is left alone.
            let writer = try FileHandle(forWritingTo: URL(filePath: here.path("notes/f")))
            try here.sync()
            #expect(try conflicts(here).first?.merge == "waiting")
            #expect(try shown(here).contains("f: 1 2 3 4 5 6 7 eight 9 "))
            try writer.close()
            // Merged: the text has to go up before the copy goes.
            try Shell.eventually("it is merged") { try conflicts(here).first?.merge == "merged" }
            #expect(try shown(here).contains("f: 1 two 3 4 5 6 7 eight 9 "))
            #expect(try shown(here).contains("f (conflicted copy from here"))
            try here.crash()
            try here.mount()
            #expect(try conflicts(here).first?.merge == "merged")
            // Before it goes up somebody else was at it again: one conflict more, merged in its turn.
            try there.script("\(Self.edit) s/5/five/ notes/f")
            try there.sync()
            try Shell.eventually("there are two copies") { try conflicts(here).count == 2 }
            try here.succeed(["limit", "--metered", "off"])
            try expect(clients, "f: 1 two 3 4 five 6 7 eight 9 ")
            #expect(try conflicts(here).isEmpty)
            let checked = try here.run(["umount", here.mountPoint])
            #expect(checked.code == 0)
            #expect(try here.run(["fsck"]).code == 0)
        }

        /// Each computer changes a line of its own; others stand between them.
        @Test(.timeLimit(.minutes(3)))
        func `three computers that change their own lines at once end with all of it`() throws {
            let (_, clients) = try computers(["red", "green", "blue"])
            let entropy = SeededEntropy(seed: testSeeds(1)[0])
            var lines = (1...9).map(String.init)
            for round in 1...3 {
                for client in clients { try client.succeed(["pause"]) }
                for (index, client) in clients.enumerated() {
                    let line = 3 * index + 1
                    lines[line - 1] = "\(client.name)-\(round)"
                    let way = entropy.chance(50) ? Self.save : Self.edit
                    try client.script("cd notes; \(way) '\(line)s/.*/\(lines[line - 1])/' f")
                }
                for client in entropy.chance(50) ? clients : clients.reversed() {
                    try client.succeed(["resume"])
                    guard entropy.chance(30) else { continue }
                    try client.crash()
                    try client.mount()
                }
                try expect(clients, "f: \(lines.joined(separator: " ")) ")
            }
            for client in clients { #expect(try conflicts(client).isEmpty) }
        }

        @Test(.timeLimit(.minutes(3)))
        func `folders tell where texts are merged, on every computer`() throws {
            let (_, clients) = try computers(["here", "there"])
            let (here, there) = (clients[0], clients[1])
            try here.script(
                "mkdir -p notes/a/b; setfattr -n user.merge -v off notes/a; setfattr -n user.merge -v what notes/a/b")
            try here.sync()
            try Shell.eventually("there knows all of it") {
                try there.script("getfattr --only-values -n user.merge notes/a/b || :") == "what"
            }
            func rules(_ arguments: [String]) throws -> [Rule] {
                let text = try there.succeed(["merge"] + arguments + ["--json"])
                return try JSONDecoder().decode([Rule].self, from: Data(text.utf8))
            }
            let all = [
                Rule(path: "notes", isOn: true, from: "notes"), Rule(path: "notes/a", isOn: false, from: "notes/a"),
            ]
            #expect(try rules([]) == all)
            #expect(try rules([there.path("notes/a/b")]) == [Rule(path: "notes/a/b", isOn: false, from: "notes/a")])
            #expect(try rules([there.mountPoint]) == [Rule(path: "", isOn: false, from: nil)])
            #expect(try there.succeed(["merge"]) == "on   notes\noff  notes/a\n")
            #expect(try there.succeed(["merge", "on", there.path("notes/a/b")]) == "on   notes/a/b\n")
            // All of it, by the mounted directory.
            #expect(try there.succeed(["merge", "on", there.mountPoint]) == "on   .\n")
            try there.sync()
            try Shell.eventually("here knows it") {
                try here.succeed(["merge", here.path("notes")]) == "on   notes\n"
                    && here.succeed(["merge"]).hasPrefix("on   .\n")
            }
            let file = try there.run(["merge", "on", there.path("notes/f")])
            #expect(file.code == 1 && file.text.contains("is no folder"))
            #expect(try there.run(["merge", "on", there.path("nothing")]).code == 1)
            #expect(try there.run(["merge", "on"]).code == 2)
        }
    }
}
