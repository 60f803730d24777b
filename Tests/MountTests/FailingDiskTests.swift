import DbxTestKit
import Foundation
import Testing

extension MountTests {
    /// The whole client while the disk below its state is full, fails, or has become read-only.
    @Suite struct FailingDisk {
        @Test(
            .timeLimit(.minutes(4)),
            arguments: [
                (LossyDisk.Fault.noSpace, "No space left on device"), (.readOnly, "Read-only file system"),
                (.ioError, "Input/output error"),
            ])
        func `writers are told, the rest goes on, and afterwards everything is there and goes up`(
            _ fault: LossyDisk.Fault, _ message: String
        ) throws {
            let entropy = SeededEntropy(seed: testSeeds(1)[0])
            let server = try makeServer()
            let disk = try LossyDisk()
            let client = try mountedClient(of: server, stateAt: disk.path)
            let known = "ls -lR d >/dev/null; df . >/dev/null; sha256sum d/*"
            try client.script("mkdir d; head -c 3000000 /dev/urandom > d/large; seq 100 > d/small")
            try client.sync()
            let before = try client.script(known)
            let work = try FaultWorkload(in: client)
            for _ in 0..<3 {
                try work.start()
                try Shell.eventually("the writer works") { work.count("done") > 2 }
                let refused = work.count("failed")
                try disk.fail(fault, afterBytes: entropy.number(below: 1 << 20))
                try Shell.eventually("the writer is told") { work.count("failed") > refused + 3 }
                let seen = try Shell.run(["bash", "-c", known], in: client.mountPoint, limitSeconds: 20)
                if fault == .ioError { #expect(seen.code != 124) } else { #expect(seen.text == before + "\n") }
                let status = try client.run(["status"], limitSeconds: 20)
                #expect(status.code == 0)
                work.stop()
                try disk.fail(.none)
                // What the disk failed to keep is known only to a daemon that begins anew.
                if try client.succeed(["status"]).contains("begins anew") {
                    try client.unmount()
                    try client.mount()
                }
                try Shell.eventually("there is room again") { try Shell.run(["touch", client.path("x")]).code == 0 }
                #expect(try work.judge() == "right")
            }
            #expect(work.reasons == [message])
            try client.sync()
            let other = try MountedClient.mounted(on: server, name: "desk")
            let sums = "find . -type f -print0 | sort -z | xargs -0 sha256sum"
            #expect(try other.script(sums) == client.script(sums))
            try client.unmount()
            #expect(try client.run(["fsck"]).text == "Nothing is wrong.\n")
        }
    }
}

/// A program that writes whole files, again and again, goes on when it is refused, and says in a log what it was told.
final class FaultWorkload {
    private var writer: Process?
    private let directory = TemporaryDirectory()
    private let root: String
    private var log: String { directory.path + "/log" }

    init(in client: MountedClient) throws {
        root = client.path("work")
        try client.script("mkdir work")
        try Self.writer.write(toFile: directory.path + "/writer.py", atomically: true, encoding: .utf8)
        try Self.judge.write(toFile: directory.path + "/judge.py", atomically: true, encoding: .utf8)
    }

    deinit { stop() }

    func start() throws {
        let writer = Process()
        writer.executableURL = URL(filePath: "/usr/bin/python3")
        writer.arguments = [directory.path + "/writer.py", root, log]
        writer.standardOutput = FileHandle.nullDevice
        writer.standardError = FileHandle.nullDevice
        try writer.run()
        self.writer = writer
    }

    func stop() {
        guard let writer else { return }
        kill(writer.processIdentifier, SIGKILL)
        writer.waitUntilExit()
        self.writer = nil
    }

    private var lines: [[Substring]] {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 2) }
    }

    func count(_ word: String) -> Int { lines.count { $0.first.map(String.init) == word } }

    /// Why it was refused.
    var reasons: Set<String> { Set(lines.filter { $0[0] == "failed" }.map { String($0[2]) }) }

    /// "right" where each file is as it was written last; where that failed it may be anything.
    func judge() throws -> String { try Shell.script("python3 \(directory.path)/judge.py '\(root)' '\(log)'") }

    private static let writer = """
        import hashlib, os, random, sys, time
        root, log = sys.argv[1], open(sys.argv[2], "a")
        def say(*words): print(*words, file=log, flush=True)
        while True:
            name = "f%d" % random.randrange(8)
            data = random.randbytes(random.randrange(1, 120000))
            say("begin", name)
            try:
                path = root + "/" + name
                place = path if random.randrange(2) else root + "/new"
                with open(place, "wb", buffering=0) as file:
                    if file.write(data) != len(data): raise OSError(0, "a short write")
                    if random.randrange(2): os.fsync(file.fileno())
                if place != path: os.rename(place, path)
                say("done", name, hashlib.sha256(data).hexdigest())
            except OSError as error:
                say("failed", name, error.strerror)
                time.sleep(0.02)
        """

    private static let judge = """
        import hashlib, os, sys
        root, state = sys.argv[1], {}
        for line in open(sys.argv[2]).read().split("\\n")[:-1]:
            words = line.split()
            state[words[1]] = words[2] if words[0] == "done" else None
        wrong = [name for name, digest in sorted(state.items())
                 if digest and hashlib.sha256(open(root + "/" + name, "rb").read()).hexdigest() != digest]
        print(" ".join(wrong) or "right")
        """
}
