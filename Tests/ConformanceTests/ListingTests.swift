import DbxTestKit
import Foundation
import Glibc
import Testing

extension ConformanceTests {
    @Suite(.timeLimit(.minutes(4))) struct ListingTests {
        @Test func `a listing shows every name that is there all the while once, whatever comes and goes`() throws {
            let path = try makeDirectory()
            let kept = (0..<1_000).map { "kept\($0)" }
            for name in kept { try put("", at: path + "/" + name) }
            let isDone = Flag()
            try onThreads(
                {
                    defer { isDone.raise() }
                    for _ in 0..<10 {
                        let found = try names(in: path)
                        #expect(found.filter { $0.hasPrefix("kept") } == kept.sorted())
                        #expect(Set(found).count == found.count)
                    }
                },
                {
                    var index = 0
                    while !isDone.isRaised {
                        index += 1
                        try put("", at: path + "/new\(index)")
                        if index % 2 == 0 { try move(path + "/new\(index)", to: path + "/moved\(index)") }
                        if index > 20 { unlink(path + "/new\(index - 20)") }
                    }
                })
        }

        @Test func `a large directory is listed whole while another process changes it`() throws {
            let path = try makeDirectory()
            let kept = (0..<5_000).map { "kept\($0)" }
            for name in kept { try succeed(mknod(path + "/" + name, S_IFREG | 0o644, 0)) }
            let changes = Process()
            changes.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
            changes.arguments = ["-c", Self.changes, path]
            try changes.run()
            defer {
                // Not SIGTERM: a test's threads block it, and programs that they start inherit that.
                kill(changes.processIdentifier, SIGKILL)
                changes.waitUntilExit()
            }
            try Shell.eventually("the other process is at work") { access(path + "/started", F_OK) == 0 }
            for _ in 0..<4 {
                let found = try names(in: path)
                #expect(Set(found).count == found.count, "none twice")
                #expect(found.filter { $0.hasPrefix("kept") } == kept.sorted())
            }
            #expect(changes.isRunning)
        }

        /// Until it is ended: makes, moves and removes names beside those that stay.
        private static let changes = """
            import os, sys
            os.chdir(sys.argv[1])
            os.mkdir("started")
            index = 0
            while True:
                index += 1
                os.close(os.open(f"new{index}", os.O_CREAT | os.O_WRONLY))
                os.rename(f"new{index}", f"moved{index}")
                if index > 50:
                    os.unlink(f"moved{index - 49}")
            """

        @Test func `names can be removed as they are listed, and none is passed over`() throws {
            let path = try makeDirectory()
            for index in 0..<2_000 { try succeed(mknod(path + "/\(index)", S_IFREG | 0o644, 0)) }
            guard let directory = opendir(path) else { throw CallError(code: errno) }
            defer { closedir(directory) }
            while let entry = readdir(directory) {
                let found = name(of: entry)
                if found != ".", found != ".." { try succeed(unlink(path + "/" + found)) }
            }
            try succeed(rmdir(path))
        }

        @Test func `a place in a listing stays what it was while names before it go`() throws {
            let path = try makeDirectory()
            for index in 0..<600 { try put("", at: path + "/\(index)") }
            guard let directory = opendir(path) else { throw CallError(code: errno) }
            defer { closedir(directory) }
            func read(_ count: Int) -> [String] { (0..<count).compactMap { _ in readdir(directory).map(name) } }
            let seen = read(300)
            let place = telldir(directory)
            let next = read(100)
            for name in seen where name != "." && name != ".." { try succeed(unlink(path + "/" + name)) }
            seekdir(directory, place)
            #expect(read(100) == next)
        }

        @Test func `a listing tells kinds and numbers as stat does`() throws {
            let path = try makeDirectory()
            try put("", at: path + "/file")
            try succeed(mkdir(path + "/directory", 0o755))
            try succeed(symlink("x", path + "/symlink"))
            try succeed(mkfifo(path + "/fifo", 0o644))
            guard let directory = opendir(path) else { throw CallError(code: errno) }
            defer { closedir(directory) }
            while let entry = readdir(directory) {
                let found = try status(path + "/" + name(of: entry))
                #expect(found.type >> 12 == UInt32(entry.pointee.d_type), "\(name(of: entry))")
                #expect(found.st_ino == entry.pointee.d_ino || name(of: entry) == "..")
            }
        }
    }
}
