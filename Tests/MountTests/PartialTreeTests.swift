import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// A computer that does not know the whole tree.
    @Suite struct PartialTree {
        /// `laptop` has written a tree, `desk` lists nothing by itself. The proxy in its way has to be kept.
        private func makeTwo(
            _ script: String
        ) throws -> (laptop: MountedClient, desk: MountedClient, proxy: FaultProxy) {
            let server = try makeServer()
            let laptop = try MountedClient.mounted(on: server, name: "laptop")
            try laptop.script(script)
            try laptop.sync()
            let proxy = try FaultProxy(to: server.port)
            let desk = try MountedClient(server: server, name: "desk")
            let output = try desk.login(url: proxy.url)
            try #require(output.code == 0, "\(output.text)")
            try desk.mount(["--tree-limit", "0", "--read-timeout", "20"])
            return (laptop, desk, proxy)
        }

        @Test(.timeLimit(.minutes(3)))
        func `folders are listed when somebody looks into them, and found as they are`() throws {
            let (laptop, desk, proxy) = try makeTwo(
                "mkdir -p a/b/c e; seq 1500 | (cd a/b && xargs touch); echo deep > a/b/c/deep; ln a/b/c/deep e/same")
            defer { withExtendedLifetime(proxy) {} }
            #expect(try desk.script("ls") == "a\ne")
            #expect(try desk.script("stat -c %h a") == "1")
            #expect(try desk.script("cat a/b/c/deep") == "deep")
            #expect(try desk.script("ls a/b | wc -l") == "1501")
            #expect(try !desk.status().tree.isComplete)
            #expect(try desk.run(["status", desk.path("e")]).text.contains("not-listed"))
            let mine = try desk.script("find . | sort | sha256sum")
            #expect(try mine == laptop.script("find . | sort | sha256sum"))
            #expect(try desk.status().tree.isComplete)
            #expect(try desk.script("stat -c %h e/same; cat e/same") == "2\ndeep")
            // What the kernel had seen before is no longer remembered.
            #expect(try desk.script("stat -c %h . a a/b a/b/c a/b/c/deep e") == "4\n3\n3\n2\n2\n2")
        }

        @Test(.timeLimit(.minutes(3)))
        func `a large folder comes in a few large pages while it is read, and a name in it without the rest`() throws {
            let (laptop, desk, proxy) = try makeTwo(
                """
                mkdir d; seq -w 4500 | (cd d && xargs touch); mkdir d/2000x
                echo x > d/4499; ln d/4499 d/0000; ln d/4499 d/zz
                """)
            defer { withExtendedLifetime(proxy) {} }
            let before = try desk.counters().requests
            #expect(try desk.script("stat -c '%s %h' d/4499; ls d | wc -l") == "2 3\n4503")
            // Pages of 500 would be ten.
            #expect(try desk.counters().requests <= before + 6)
            let kinds = "find d -type f -printf '%s %n\\n' | sort | uniq -c | awk '{ $1 = $1 } 1'"
            #expect(try desk.script(kinds) == "4499 0 1\n3 2 3")
            let sum = "find . -printf '%p %y %s %m %T@\\n' | sort | sha256sum"
            #expect(try desk.script(sum) == laptop.script(sum))
        }

        @Test(.timeLimit(.minutes(3)))
        func `what is not known yet cannot be made again, removed or replaced by mistake`() throws {
            let (laptop, desk, proxy) = try makeTwo("mkdir -p full/x other empty; echo old > full/f; echo g > other/g")
            defer { withExtendedLifetime(proxy) {} }
            #expect(try desk.script("rmdir full 2>&1 || true").contains("not empty"))
            #expect(try desk.script("mkdir new; mv -T new full 2>&1 || true").contains("not empty"))
            #expect(try desk.script("mkdir full/x 2>&1 || true").contains("exists"))
            #expect(try desk.script("set -C; (echo x > other/g) 2>&1 || true").contains("cannot overwrite"))
            try desk.script("rmdir empty; echo new > full/f; mv full/f other/g; mv other moved")
            try desk.sync()
            try Shell.eventually("the laptop sees it") {
                try laptop.script("ls -R . 2>/dev/null; cat moved/g || true").hasSuffix("new")
            }
            #expect(try laptop.script("ls; ls full") == "full\nmoved\nnew\nx")
        }

        @Test(.timeLimit(.minutes(3)))
        func `what others do in folders that are not known, or known in part, is seen`() throws {
            let (laptop, desk, proxy) = try makeTwo(
                "mkdir -p known unknown/deep; echo 1 > known/moves; echo 2 > unknown/comes; echo 3 > unknown/deep/x")
            defer { withExtendedLifetime(proxy) {} }
            #expect(try desk.script("cat known/moves") == "1")
            try laptop.script(
                "mv known/moves unknown/deep/moved; mv unknown/comes known/came; mv unknown/deep known/deep")
            try laptop.sync()
            try Shell.eventually("the desk sees it") { try desk.script("ls known") == "came\ndeep" }
            #expect(try desk.script("cat known/came known/deep/moved known/deep/x; ls unknown") == "2\n1\n3")
        }

        @Test(.timeLimit(.minutes(3)))
        func `without the server known folders work, unknown ones fail at once, and all comes together`() throws {
            let (laptop, desk, proxy) = try makeTwo("mkdir -p known unknown/x; echo k > known/k; echo u > unknown/u")
            #expect(try desk.script("cat known/k") == "k")
            proxy.become(.refuse)
            try desk.waitFor(connection: "offline")
            try desk.script("echo n > known/n; mkdir made; echo m > made/m")
            #expect(try desk.script("ls unknown 2>&1 || true").contains("Host is down"))
            #expect(try desk.script("cat unknown/u 2>&1 || true").contains("Host is down"))
            #expect(try desk.run(["status", desk.path("unknown")]).text.contains("not-listed"))
            try desk.unmount()
            try desk.mount(["--tree-limit", "0"])
            #expect(try desk.script("cat known/n made/m") == "n\nm")
            proxy.become(.pass)
            try desk.waitFor(connection: "connected")
            try desk.sync()
            #expect(try desk.script("cat unknown/u") == "u")
            try Shell.eventually("the laptop sees it") { try laptop.script("cat known/n made/m || true") == "n\nm" }
        }

        @Test(.timeLimit(.minutes(3)))
        func `the rest is listed by itself, also after a restart`() throws {
            let (_, desk, proxy) = try makeTwo("for i in $(seq 6); do mkdir -p d$i/e; echo $i > d$i/e/f; done")
            defer { withExtendedLifetime(proxy) {} }
            try desk.unmount()
            try desk.mount(["--tree-limit", "100000"])
            try desk.waitForTree()
            #expect(try desk.status().tree.entries == 19)
            let requests = try desk.counters().requests
            #expect(try desk.script("find . -type f | wc -l") == "6")
            #expect(try desk.counters().requests <= requests + 1)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a call that waits for a listing ends by a signal, and in time`() throws {
            let (_, desk, proxy) = try makeTwo("mkdir -p d/e; echo x > d/e/x")
            proxy.become(.blackHole)
            let listing = try Shell.run(["timeout", "-s", "INT", "1", "ls", desk.path("d")], limitSeconds: 30)
            #expect(listing.code != 0)
            #expect(try Shell.run(["ls", desk.path("d")], limitSeconds: 30).code != 0)
            proxy.become(.pass)
            try desk.waitFor(connection: "connected")
            #expect(try desk.script("cat d/e/x") == "x")
        }
    }
}
