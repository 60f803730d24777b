import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Reading here and there in large files.
    @Suite struct PartialReads {
        private struct Cache: Decodable { var cachedBytes: Int64 }

        private func cachedBytes(_ client: MountedClient) throws -> Int64 {
            try JSONDecoder().decode(Cache.self, from: Data(client.succeed(["cache", "--json"]).utf8)).cachedBytes
        }

        /// 48 pages of a file of 64 MiB, far from each other.
        private static let look = """
            for i in $(seq 0 47); do dd if=file bs=4k skip=$((i * 331 + 17)) count=1 status=none; done | sha256sum
            """
        private static let frame = 65_536

        @Test(.timeLimit(.minutes(4)))
        func `4 KiB read here and there of what does not compress bring 64 KiB each, and are kept`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script("head -c 64M /dev/urandom > file")
            try writer.sync()
            let proxy = try FaultProxy(to: server.port)
            let reader = try MountedClient(server: server, name: "desk")
            #expect(try reader.login(url: proxy.url).code == 0)
            try reader.mount()
            #expect(try reader.script("stat -c %s file") == "\(64 << 20)")
            let (before, wire) = (try reader.counters(), proxy.receivedBytes)
            #expect(try reader.script(Self.look) == writer.script(Self.look))
            let after = try reader.counters()
            // A frame for each; two for the few that cross a border; less where a block ends.
            let fetched = after.fetchedBytes - before.fetchedBytes
            #expect((32 * Self.frame...60 * Self.frame).contains(Int(fetched)), "\(fetched)")
            #expect(after.fetchedBlocks - before.fetchedBlocks <= 60)
            #expect(proxy.receivedBytes - wire < fetched + 60 * 1_024 + 16_384)
            let kept = try cachedBytes(reader)
            #expect((fetched - 60 * 24...fetched).contains(kept), "\(fetched) and \(kept)")

            // What came is here after a crash, and without the server; nothing else is.
            try reader.crash()
            proxy.become(.refuse)
            try reader.mount()
            #expect(try reader.script(Self.look) == writer.script(Self.look))
            let elsewhere = "dd if=file bs=4k skip=9 count=1 status=none | sha256sum"
            #expect(
                try Shell.run(["dd", "if=\(reader.path("file"))", "bs=4k", "skip=9", "count=1", "status=none"]).code
                    != 0)
            proxy.become(.pass)
            try reader.waitFor(connection: "connected")
            #expect(try reader.script(elsewhere) == writer.script(elsewhere))

            // A program that reads all of it gets whole blocks, which take the place of the frames.
            #expect(try reader.script("sha256sum < file") == writer.script("sha256sum < file"))
            #expect(try cachedBytes(reader) == 64 << 20)
            try reader.succeed(["evict", reader.path("file")])
            #expect(try cachedBytes(reader) == 0)
            #expect(try reader.script(Self.look) == writer.script(Self.look))
            try reader.unmount()
            #expect(try reader.run(["fsck"]).code == 0)
        }
    }
}
