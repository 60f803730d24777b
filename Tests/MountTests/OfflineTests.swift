import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// What is on this computer without the server: pins, warming up, eviction, and what the cache holds.
    @Suite struct Offline {
        private struct Pin: Decodable {
            var path: String
            var isGone: Bool
            var files: Int
            var bytes: Int64
            var hereBytes: Int64
        }

        private struct Cache: Decodable {
            struct Folder: Decodable {
                var path: String?
                var cachedBytes: Int64
                var pinnedBytes: Int64
                var pendingBytes: Int64
            }
            var cachedBytes: Int64
            var pinnedBytes: Int64
            var folders: [Folder]
        }

        private func pins(_ client: MountedClient) throws -> [Pin] {
            try JSONDecoder().decode([Pin].self, from: Data(client.succeed(["pin", "--json"]).utf8))
        }

        private func cache(_ client: MountedClient) throws -> Cache {
            try JSONDecoder().decode(Cache.self, from: Data(client.succeed(["cache", "--json"]).utf8))
        }

        @Test(.timeLimit(.minutes(4)))
        func `a pinned folder comes by itself, with what is added to it, and is read without the server`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("mkdir -p d/e other; for i in $(seq 100); do head -c 5000 /dev/urandom > d/e/$i; done")
            try here.script("head -c 3000000 /dev/urandom > d/large; ln d/large d/e/link; echo x > other/x")
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            #expect(try there.succeed(["pin"]).contains("Nothing is pinned"))
            try there.succeed(["pin", there.path("d")])
            try Shell.eventually("all of it is here", withinSeconds: 60) {
                try pins(there).allSatisfy { $0.files == 101 && $0.bytes == 3_500_000 && $0.hereBytes == $0.bytes }
            }
            try here.script("echo new > d/new; echo changed >> d/e/7; mv other d/other")
            try here.sync()
            try Shell.eventually("what came later is here too", withinSeconds: 60) {
                try pins(there).allSatisfy { $0.files == 103 && $0.hereBytes == $0.bytes }
            }
            try there.unmount()
            try there.mount()
            server.kill()
            #expect(try pins(there).map(\.path) == ["d"])
            let sum = "cat d/new d/large d/other/x $(ls d/e/* | sort) | sha256sum"
            #expect(try there.script(sum) == here.script(sum))
            #expect(try there.script("getfattr --only-values -n user.dbxfs.pinned d/e/7") == "yes")
            #expect(try there.script("getfattr --only-values -n user.dbxfs.pinned .") == "no")
            #expect(try there.succeed(["status", there.path("d/new")]).contains("pinned"))
        }

        @Test(.timeLimit(.minutes(4)))
        func `what is pinned is never evicted, by a full cache or by hand, before a restart or after`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script(
                "head -c 30000000 /dev/urandom > kept; for i in 1 2 3; do head -c 30000000 /dev/urandom > f$i; done",
                limitSeconds: 240)
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there", options: ["--cache-size", "64M"])
            try there.succeed(["pin", there.path("kept")])
            try Shell.eventually("it is here", withinSeconds: 60) {
                try pins(there).allSatisfy { $0.hereBytes == $0.bytes }
            }
            let sum = "cat f1 f2 f3 | sha256sum"
            #expect(try there.script(sum) == here.script(sum))
            #expect(try pins(there).map(\.hereBytes) == [30_000_000])
            let report = try there.succeed(["evict", there.mountPoint])
            #expect(report.contains("Pinned, and kept"))
            let left = try cache(there)
            #expect(left.cachedBytes == left.pinnedBytes && left.pinnedBytes == 30_000_000)
            try there.unmount()
            try there.mount()
            #expect(try there.script(sum) == here.script(sum))
            #expect(try pins(there).map(\.hereBytes) == [30_000_000])

            // More than fits: what there is no room for is said, and reads go on.
            try there.succeed(["pin", there.path("f1"), there.path("f2")])
            try Shell.eventually("the lack of room is told", withinSeconds: 60) {
                try there.succeed(["pin"]).contains("no room")
            }
            #expect(try cache(there).cachedBytes <= 64 << 20)
            try there.succeed(["unpin", there.path("kept"), there.path("f1")])
            #expect(try there.run(["unpin", there.path("f3")]).code == 1)
            try Shell.eventually("the rest has room now", withinSeconds: 60) {
                try pins(there).allSatisfy { $0.hereBytes == $0.bytes }
            }
            #expect(try there.script(sum) == here.script(sum))
        }

        @Test(.timeLimit(.minutes(4)))
        func `warming up brings all of a folder, evicting gives it back, and nothing pending is ever evicted`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("mkdir d; for i in $(seq 300); do head -c 4000 /dev/urandom > d/$i; done; ln -s 1 d/l")
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            let before = try there.counters()
            #expect(try there.succeed(["warmup", there.path("d")]).contains("All here: 300 files"))
            let after = try there.counters()
            #expect(after.fetchedBlocks - before.fetchedBlocks == 300)
            #expect(try cache(there).folders.map(\.path) == ["d"])
            try there.script("cat d/* > /dev/null")
            #expect(try there.counters().fetchedBlocks == after.fetchedBlocks)

            try there.succeed(["pause"])
            try there.script("echo mine > d/new; echo more >> d/5")
            func room() throws -> Int {
                let text = try Shell.script("du -B 1 \(there.dataDirectory)/segments/*.seg | cut -f 1 | paste -sd +")
                return text.split(separator: "+").reduce(0) { $0 + (Int($1) ?? 0) }
            }
            let taken = try room()
            let report = try there.succeed(["evict", "--json", there.path("d")])
            #expect(report.contains("\"pinnedBytes\" : 0") && !report.contains("\"pendingBytes\" : 0"))
            #expect(try cache(there).cachedBytes == 0)
            try Shell.eventually("the disk has its room") { try room() < taken - 1_000_000 }
            #expect(try there.script("cat d/new; tail -c 5 d/5") == "mine\nmore")
            try there.succeed(["resume"])
            try there.sync()
            let sum = "cat $(ls d/* | sort) | sha256sum"
            try Shell.eventually("it arrives") { try there.script(sum) == here.script(sum) }
            #expect(try there.run(["warmup", there.path("nothing")]).code == 1)
            server.kill()
            try there.succeed(["evict", there.path("d")])
            try Shell.eventually("the server is known to be away", withinSeconds: 60) {
                try there.run(["warmup", there.path("d")]).code == 4
            }
        }

        @Test(.timeLimit(.minutes(2)))
        func `thumbnailers and indexers read what is here and fetch nothing, unless they are to`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("mkdir d; for i in 1 2 3; do head -c 300000 /dev/urandom > d/$i; done")
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            let indexer = there.home + "/baloo_file_extractor"
            try FileManager.default.copyItem(atPath: "/bin/cat", toPath: indexer)
            let refused = try Shell.run(["bash", "-c", "\(indexer) d/* | wc -c"], in: there.mountPoint).text
            #expect(refused.components(separatedBy: "No data available").count == 4 && refused.hasSuffix("\n0\n"))
            #expect(try there.counters().fetchedBytes == 0)
            #expect(try there.script("cat d/2 | wc -c; \(indexer) d/2 | wc -c") == "300000\n300000")
            try there.unmount()
            try there.mount(["--fetch-nothing-for", "cat,wc"])
            #expect(try Shell.run(["cat", there.path("d/1")]).code == 1)
            #expect(try there.script("\(indexer) d/1 | wc -c") == "300000")
            try there.unmount()
            try there.mount(["--fetch-nothing-for", "none"])
            #expect(try there.script("cat d/* | wc -c") == "900000")
        }

        @Test(.timeLimit(.minutes(3)))
        func `a pinned folder that is deleted elsewhere is told of until it is unpinned`() throws {
            let server = try makeServer()
            let here = try MountedClient.mounted(on: server, name: "here")
            try here.script("mkdir d; echo 1 > d/1; echo keep > e")
            try here.sync()
            let there = try MountedClient.mounted(on: server, name: "there")
            try there.succeed(["pin", there.path("d")])
            try here.script("mv d moved")
            try Shell.eventually("the pin follows the folder") { try pins(there).map(\.path) == ["moved"] }
            try here.script("rm -r moved")
            try Shell.eventually("the deletion arrives") { try pins(there).map(\.isGone) == [true] }
            #expect(try there.succeed(["pin"]).contains("gone        moved"))
            #expect(try there.succeed(["status", there.mountPoint]).contains("pinned"))
            #expect(try there.succeed(["activity"]).contains("moved"))
            try there.succeed(["unpin", there.path("moved")])
            #expect(try pins(there).isEmpty)
        }
    }
}
