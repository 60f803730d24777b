import CTestShims
import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxMount
import DbxSystem
import Foundation
import Synchronization
import Testing

/// Where kernel and file system have to play together, on a real mount.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct KernelTests {
    @Test func `a synchronous write is followed by an fsync`() throws {
        try withMountedTree { tree in
            let before = tree.fixture.fileSystem.counters[.fsync]
            let file = open(tree.path + "/f", O_WRONLY | O_CREAT | O_SYNC, 0o644)
            #expect(write(file, "x", 1) == 1)
            close(file)
            #expect(tree.fixture.fileSystem.counters[.fsync] > before)
        }
    }

    @Test func `appending writes of several programs do not overwrite each other`() throws {
        try withMountedTree { tree in
            try tree.run("for p in 1 2 3 4; do (for i in $(seq 200); do echo \"$p $i\" >> log; done) & done; wait")
            #expect(try tree.run("sort -u log | wc -l") == "800")
        }
    }

    @Test func `ranges, holes and shared copies work through the kernel`() throws {
        try withMountedTree { tree in
            try tree.run(
                """
                head -c 3000000 /dev/urandom > a && cp --reflink=never --sparse=never a b && cmp a b
                fallocate -p -o 4096 -l 1048576 b && test $(stat -c %s b) = 3000000 && ! cmp -s a b
                fallocate -z -o 0 -l 4096 b && fallocate -l 4000000 b && test $(stat -c %s b) = 4000000
                test "$(head -c 1052672 b | tr -d '\\0' | wc -c)" = 0 && cp --sparse=auto b c && cmp b c
                test $(stat -c %b c) -lt $(stat -c %b a) && cat a > d && cmp a d && truncate -s 5 a && test $(stat -c %s a) = 5
                """)
        }
    }

    @Test func `set-id bits go at a write of an ordinary user, and ownership is what numbers say`() throws {
        guard geteuid() == 0 else { return }
        try withMountedTree(allowOther: true) { tree in
            try tree.run(
                """
                chmod 1777 . && setpriv --reuid 1234 --regid 1234 --clear-groups bash -c '
                echo x > mine && chmod 6755 mine && test $(stat -c %u:%g:%a mine) = 1234:1234:6755
                echo y >> mine && test $(stat -c %a mine) = 755 && ! chown 0 mine 2>/dev/null && mkdir d && touch d/f'
                echo secret > root && chmod 600 root && ! setpriv --reuid 1234 --regid 1234 --clear-groups cat root 2>/dev/null
                ! setpriv --reuid 4321 --regid 4321 --clear-groups rm -f mine 2>/dev/null && chown 4321 mine
                test $(stat -c %u mine) = 4321 && chmod 4755 root && chown 1:1 root && test $(stat -c %a root) = 755
                """)
        }
    }

    @Test func `a file made without a name can get one, and is gone otherwise`() throws {
        try withMountedTree { tree in
            let temporaryFile: Int32 = 0o20200000
            let file = open(tree.path, O_RDWR | temporaryFile, 0o600)
            #expect(write(file, "kept", 4) == 4)
            try tree.run("test -z \"$(ls -A)\"")
            #expect(linkat(AT_FDCWD, "/proc/self/fd/\(file)", AT_FDCWD, tree.path + "/named", AT_SYMLINK_FOLLOW) == 0)
            close(file)
            #expect(try tree.run("stat -c '%h %s %a' named; cat named") == "1 4 600\nkept")
            close(open(tree.path, O_RDWR | temporaryFile, 0o600))
            #expect(try tree.run("ls -A") == "named")
        }
    }

    @Test func `locks hold between programs`() throws {
        try withMountedTree { tree in
            try tree.run(
                "touch l; exec 3<l; flock -x 3; ! flock -n -x l true; flock -u 3; flock -n -x l true")
        }
    }

    @Test func `a tree of many names is listed whole`() throws {
        try withMountedTree { tree in
            try tree.run("mkdir d && cd d && seq -f 'a-rather-long-name-number-%g' 3000 | xargs touch")
            #expect(try tree.run("ls d | wc -l; ls -l d | wc -l") == "3000\n3001")
            try tree.run("rm -r d && test -z \"$(ls)\"")
            let fixture = tree.fixture
            try waitUntil { try fixture.shared.withStore { try $0.node(InodeNumber(rawValue: 100)) == nil } }
        }
    }

    @Test func `everything at once, with remote changes and fsyncs in between, ends and is consistent`() throws {
        try withMountedTree { tree in
            let remote = try (0..<8).map {
                try tree.fixture.makeRemoteFile("r\($0)", [UInt8](repeating: 1, count: 200_000))
            }
            let isDone = Mutex(false)
            let worker = try changingThread(tree.fixture, remote) { isDone.withLock { $0 } }
            try tree.run(
                """
                for p in 1 2 3; do (mkdir w$p; cd w$p; for i in $(seq 150); do echo "$p $i" > f$i; mv f$i g$i; ln g$i h$i
                cat ../r$((i % 8)) > /dev/null; test $((i % 10)) = 0 && sync g$i; rm h$i; done) & done
                (for i in $(seq 30); do find . -ls > /dev/null 2>&1 || true; done) & wait
                """)
            isDone.withLock { $0 = true }
            worker.join()
            #expect(try tree.run("cat w*/g* | sort -u | wc -l; ls w* | grep -c g") == "450\n450")
            #expect(tree.mount.waitUntilNotified(seconds: 10))
        }
    }

    private func changingThread(
        _ fixture: Fixture, _ remote: [InodeNumber], until isDone: @escaping @Sendable () -> Bool
    ) throws -> WorkerThread {
        let files = fixture.fileSystem
        return try WorkerThread(name: "test-remote") {
            while !isDone() {
                for number in remote { files.apply(changes: [.content(number), .attributes(number)]) }
                files.apply(changes: [.entry(parent: .root, name: Name("r0")!), .attributes(.root)])
                usleep(2_000)
            }
        }
    }
}
