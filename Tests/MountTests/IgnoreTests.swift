import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Rules of `.dbxfsignore`.
    @Suite struct IgnoreRules {
        private struct Situation: Decodable {
            struct LocalOnly: Decodable {
                var files: Int
                var bytes: Int64
            }
            var localOnly: LocalOnly
        }

        private func localOnly(_ client: MountedClient) throws -> Situation.LocalOnly {
            let output = try client.succeed(["status", "--json", client.mountPoint])
            return try JSONDecoder().decode(Situation.self, from: Data(output.utf8)).localOnly
        }

        private func state(_ client: MountedClient, _ path: String) throws -> String {
            try client.script("getfattr --only-values -n user.dbxfs.state '\(path)'")
        }

        private func list(_ client: MountedClient) throws -> String {
            try client.script("find . -mindepth 1 | LC_ALL=C sort | tr '\\n' ' '")
        }

        @Test(.timeLimit(.minutes(3)))
        func `what rules name stays here and everything else goes up`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.script("printf 'build/\\n*.o\\n!keep.o\\n' > .dbxfsignore; mkdir src build")
            try here.script(
                "echo 1 > src/a.c; echo 2 > src/a.o; echo 3 > src/keep.o; mkdir build/deep; echo 4 > build/deep/x")
            try here.sync()
            try Shell.eventually("there has it") { try list(there) == "./.dbxfsignore ./src ./src/a.c ./src/keep.o " }
            #expect(try state(here, "build/deep/x") == "local-only")
            #expect(try state(here, "src/a.o") == "local-only")
            #expect(try state(here, "src/a.c") == "synced")
            #expect(try localOnly(here).files == 4)
            #expect(try here.status().pending.files == 0)
            // The other computer has the rules, which are synced.
            try there.script("mkdir build; echo 5 > build/mine; echo 6 > src/b.o; echo 7 > src/b.c")
            try there.sync()
            try Shell.eventually("here has b.c") { try here.script("ls src") == "a.c\na.o\nb.c\nkeep.o" }
            #expect(try here.script("ls build") == "deep")
            let shown = try here.succeed([
                "ignore", here.path("build/deep/x"), here.path("src/keep.o"), here.path("src/a.c"),
            ])
            #expect(shown.contains("build/deep/x: ignored, by .dbxfsignore:1: build/"))
            #expect(shown.contains("src/keep.o: not ignored, by .dbxfsignore:3: !keep.o"))
            #expect(shown.contains("src/a.c: no rule speaks of it"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a crash changes nothing, and a rule that is gone lets everything go up`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("echo out > .dbxfsignore; mkdir -p out/a/b; echo 1 > out/a/b/c; mkdir out/empty")
            try here.sync()
            #expect(try localOnly(here).files == 5)
            try here.crash()
            try here.mount()
            try here.script("echo 2 > out/a/d; ln out/a/d out/a/e; ln -s d out/a/f")
            #expect(try state(here, "out/a/d") == "local-only")
            try here.sync()
            #expect(try localOnly(here).files == 7)
            try here.unmount()
            let refused = try here.run(["logout"])
            #expect(refused.code == 5 && refused.text.contains("only here, by ignore rules"))
            #expect(try here.run(["fsck"]).code == 0)
            try here.mount()
            let there = try MountedClient.mounted(on: server, name: "there")
            #expect(try list(there) == "./.dbxfsignore ")
            try here.script("rm .dbxfsignore")
            try here.sync()
            try Shell.eventually("there has everything") {
                try list(there) == "./out ./out/a ./out/a/b ./out/a/b/c ./out/a/d ./out/a/e ./out/a/f ./out/empty "
            }
            #expect(try there.script("cat out/a/b/c out/a/e; stat -c %h out/a/d") == "1\n2\n2")
            #expect(try localOnly(here).files == 0)
            try here.unmount()
            #expect(try here.run(["logout"]).code == 0)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a rule takes nothing from the server until it is applied, and then everything stays here`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try there.script(
                "mkdir -p d/sub; head -c 3000000 /dev/urandom > d/big; echo x > d/sub/x; echo y > d.log; ln d.log kept")
            try there.sync()
            try Shell.eventually("here has it") { try here.script("ls") == "d\nd.log\nkept" }
            let sum = try there.script("sha256sum < d/big")
            try here.script("printf 'd\\n*.log\\n' > .dbxfsignore; echo new > d/new; echo more >> d/sub/x")
            try here.sync()
            try Shell.eventually("there sees the edit") { try there.script("cat d/sub/x") == "x\nmore" }
            #expect(try list(there) == "./.dbxfsignore ./d ./d.log ./d/big ./d/sub ./d/sub/x ./kept ")
            let dry = try here.succeed(["ignore", "--apply", "--dry-run"])
            #expect(dry.contains("4 files and folders") && dry.contains("under another name too: d.log"))
            #expect(try list(there).contains("./d/big"))
            try here.succeed(["ignore", "--apply"])
            try here.sync()
            try Shell.eventually("it is gone there") { try list(there) == "./.dbxfsignore ./d.log ./kept " }
            #expect(try list(here) == "./.dbxfsignore ./d ./d.log ./d/big ./d/new ./d/sub ./d/sub/x ./kept ")
            #expect(try state(here, "d/big") == "local-only")
            #expect(try localOnly(here).files == 5)
            // Nothing of it comes from the server any more.
            try here.unmount()
            #expect(try here.run(["fsck"]).code == 0)
            server.stop()
            try here.mount()
            #expect(try here.script("sha256sum < d/big") == sum)
            #expect(try here.script("cat d/sub/x d/new") == "x\nmore\nnew")
        }

        @Test(.timeLimit(.minutes(3)))
        func `names move in and out of what is ignored`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.script(
                "echo tmp > .dbxfsignore; mkdir tmp; echo 1 > one; echo 2 > tmp/two; mkdir -p tmp/dir/in; echo 3 > tmp/dir/in/x"
            )
            try here.sync()
            // Out: goes up. A folder with all in it.
            try here.script("mv tmp/two two; mv tmp/dir dir")
            try here.sync()
            try Shell.eventually("there has them") {
                try list(there) == "./.dbxfsignore ./dir ./dir/in ./dir/in/x ./one ./two "
            }
            // Linked into: the name stays here. New and moved in before it went up: stays here.
            try here.succeed(["pause"])
            try here.script("ln one tmp/one; mkdir fresh; echo 4 > fresh/y; mv fresh tmp/fresh")
            try here.succeed(["resume"])
            try here.sync()
            #expect(try list(there) == "./.dbxfsignore ./dir ./dir/in ./dir/in/x ./one ./two ")
            #expect(try state(here, "tmp/fresh/y") == "local-only")
            #expect(try state(here, "tmp/one") == "synced")
            // Moved in: what is synced stays synced, with the folders that it needs there.
            try here.script("mv two tmp/fresh/two")
            try here.sync()
            try Shell.eventually("there sees the move") {
                try list(there).hasSuffix("./one ./tmp ./tmp/fresh ./tmp/fresh/two ")
            }
            #expect(try state(here, "tmp/fresh/y") == "local-only")
            #expect(try here.status().pending.files == 0)
        }

        @Test(.timeLimit(.minutes(3)))
        func `what takes a name of the server's stays here at last when the server's goes from elsewhere`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.script("echo shared > x.o")
            try here.sync()
            try here.script("echo '*.o' > .dbxfsignore")
            try here.sync()
            try Shell.eventually("there has both") { try list(there) == "./.dbxfsignore ./x.o " }
            try here.succeed(["pause"])
            try here.script("mv x.o moved; echo mine > x.o")
            try there.script("rm x.o")
            try there.sync()
            try here.succeed(["resume"])
            try here.sync()
            #expect(try state(here, "x.o") == "local-only")
            #expect(try here.script("cat x.o") == "mine")
            #expect(try here.status().pending.files == 0)
        }

        @Test(
            .timeLimit(.minutes(3)), arguments: ["echo theirs > f", "echo theirs > new; mv new f", "rm f"])
        func `a version that only an ignored name would have left gets a name that others see`(
            elsewhere: String
        ) throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.script("echo '*.o' > .dbxfsignore; echo base > f; ln f f.o")
            try here.sync()
            try Shell.eventually("there has it") { try list(there) == "./.dbxfsignore ./f " }
            try here.succeed(["pause"])
            try here.script("echo ours > f")
            try there.script(elsewhere)
            try there.sync()
            try here.succeed(["resume"])
            try here.sync()
            let expected = elsewhere == "rm f" ? "ours" : "ours\ntheirs"
            try Shell.eventually("there has all versions") { try there.script("cat f* | sort") == expected }
            #expect(try here.script("cat f.o") == "ours")
            #expect(try here.status().pending.files == 0)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a remote thing of an ignored name appears under a conflict name`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            let there = try MountedClient.mounted(on: server, name: "there")
            try here.succeed(["pause"])
            try here.script("echo build > .dbxfsignore; mkdir build; echo ours > build/x")
            try Shell.eventually("kept here") { try localOnly(here).files == 2 }
            try there.script("mkdir build; echo theirs > build/x")
            try there.sync()
            try here.succeed(["resume"])
            try Shell.eventually("theirs is here") { try here.script("cat build*from*here*/x || true") == "theirs" }
            try here.sync()
            try Shell.eventually("renamed there") { try there.script("ls | cat").hasPrefix("build (conflicted copy") }
            #expect(try there.script("cat build*/x") == "theirs")
            #expect(try here.script("cat build/x") == "ours")
            #expect(try state(here, "build/x") == "local-only")
        }
    }
}
