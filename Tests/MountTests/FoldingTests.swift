import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// Files that are edited in very many places.
    @Suite struct Folding {
        /// Writes 100 bytes at 9,000 places of a file, none of which touches another, as a database does its rows.
        private static let updates = """
            import os, random, sys
            random.seed(int(sys.argv[2]))
            with open(sys.argv[1], "r+b", buffering=0) as file:
                for place in random.sample(range(0, 64 << 20, 4096), 9000):
                    file.seek(place + random.randrange(3000))
                    file.write(os.urandom(100))
            """

        @Test(.timeLimit(.minutes(6)))
        func `a file with more edits than one of its rows may have extents goes up all the same`() throws {
            let server = try makeServer()
            let writer = try MountedClient.mounted(on: server, name: "laptop")
            try writer.script("head -c 64M /dev/urandom > file")
            try writer.sync()
            try Self.updates.write(toFile: writer.home + "/updates.py", atomically: true, encoding: .utf8)
            // At once, and over what others have left of it.
            for seed in 1...2 {
                try writer.script("python3 \(writer.home)/updates.py file \(seed)")
                try writer.sync()
            }
            let status = try String(contentsOfFile: "/proc/\(#require(writer.daemonPID))/status", encoding: .utf8)
            let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?.split(separator: " ").dropFirst()
                .first
            #expect(try #require(peak.flatMap { Int($0) }) < 1 << 20, "KiB")
            let reader = try MountedClient.mounted(on: server, name: "desk")
            #expect(try reader.script("sha256sum < file") == writer.script("sha256sum < file"))
            for client in [writer, reader] {
                try client.unmount()
                let check = try client.run(["fsck"])
                #expect(check.code == 0, "\(client.name): \(check.text)")
            }
        }
    }
}
