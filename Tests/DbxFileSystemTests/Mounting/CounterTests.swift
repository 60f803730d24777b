import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxMount
import DbxSystem
import Foundation
import Testing

/// What is promised is counted: the kernel asks once, and forgets exactly what changed.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct CounterTests {
    private func asked(_ tree: MountedTree) -> Int64 {
        let counters = tree.fixture.fileSystem.counters
        return counters[.lookup] + counters[.getattr] + counters[.readdir] + counters[.readdirplus]
    }

    @Test func `a second look at a known tree asks the daemon nothing`() throws {
        try withMountedTree { tree in
            try tree.run("mkdir -p a/b c && for i in $(seq 30); do echo $i > a/b/f$i; done; echo x > c/x")
            try tree.run("find . -printf '%s %t %m %p\\n' > /dev/null; ls -lR > /dev/null; test ! -e missing")
            let before = asked(tree)
            try tree.run("find . -printf '%s %t %m %p\\n' > /dev/null; ls -lR > /dev/null; test ! -e missing")
            #expect(asked(tree) == before)
        }
    }

    @Test func `a remote change makes the kernel ask again for what it touched and nothing else`() throws {
        try withMountedTree { tree in
            try tree.run("mkdir d && for i in $(seq 20); do echo $i > d/f$i; done; test ! -e new")
            let remote = try tree.fixture.makeRemoteFile("remote", Array("one".utf8))
            tree.fixture.fileSystem.apply(changes: [.entry(parent: .root, name: Name("remote")!)])
            #expect(tree.mount.waitUntilNotified(seconds: 10))
            let first = try tree.run("cat remote; ls -l d > /dev/null; stat d/* > /dev/null")
            #expect(first == "one")
            let counters = tree.fixture.fileSystem.counters
            let before = (counters[.lookup], counters[.getattr])
            try tree.fixture.replaceRemoteContent(of: remote, Array("another".utf8))
            tree.fixture.fileSystem.apply(changes: [.content(remote)])
            #expect(tree.mount.waitUntilNotified(seconds: 10))
            let second = try tree.run("cat remote; stat d/* > /dev/null")
            #expect(second == "another")
            #expect(counters[.lookup] == before.0)
            #expect(counters[.getattr] - before.1 <= 2)
            #expect(tree.mount.invalidations["content"] == 2)
            #expect(tree.mount.invalidations["entry"] == 1)
        }
    }

    @Test func `a name that was looked for in vain appears when it comes from elsewhere`() throws {
        try withMountedTree { tree in
            try tree.run("test ! -e late && test -z \"$(ls)\"")
            try tree.fixture.makeRemoteFile("late", Array("here".utf8))
            tree.fixture.fileSystem.apply(changes: [.entry(parent: .root, name: Name("late")!)])
            #expect(tree.mount.waitUntilNotified(seconds: 10))
            let seen = try tree.run("cat late; ls")
            #expect(seen == "herelate")
        }
    }

    @Test func `reading an uncached file fetches its blocks once`() throws {
        try withMountedTree { tree in
            let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            try tree.fixture.makeRemoteFile("big", bytes)
            let sum = try tree.run("sha256sum < big; sha256sum < big")
            #expect(Set(sum.split(separator: "\n")).count == 1)
            #expect(tree.fixture.blocks.demanded.count + tree.fixture.blocks.readAhead.count >= 16)
            let file = try Data(contentsOf: URL(fileURLWithPath: tree.path + "/big"))
            #expect([UInt8](file) == bytes)
            #expect(Set(tree.fixture.blocks.demanded).count <= 16)
        }
    }

    @Test func `a read that waits for the network is interrupted by a signal`() throws {
        try withMountedTree { tree in
            try tree.fixture.makeRemoteFile("slow", [UInt8](repeating: 1, count: 100_000))
            tree.fixture.blocks.hold()
            // A direct read is the caller's own request; readahead would stay under way for whoever comes next.
            try tree.run("timeout -s KILL 0.5 dd if=slow iflag=direct bs=64k count=1 of=/dev/null || test $? = 137")
            let deadline = SystemTime().monotonic() + .seconds(10)
            while tree.fixture.blocks.waiting > 0, SystemTime().monotonic() < deadline { usleep(5_000) }
            #expect(tree.fixture.blocks.waiting == 0)
            tree.fixture.blocks.letGo()
            #expect(try tree.run("wc -c < slow") == "100000")
        }
    }

    @Test func `a read fails at once where the server is known to be away`() throws {
        try withMountedTree { tree in
            try tree.fixture.makeRemoteFile("away", [UInt8](repeating: 1, count: 100_000))
            tree.fixture.blocks.fail(with: .serverAway)
            let text = try tree.run("cat away 2>&1 || true; stat -c %s away")
            #expect(text.hasSuffix("Host is down\n100000"))
        }
    }
}
