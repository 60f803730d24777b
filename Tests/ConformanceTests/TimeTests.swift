import CTestShims
import Glibc
import Testing

extension ConformanceTests {
    @Suite struct TimeTests {
        /// Sets access and modification time to the past, so that whatever moves one is seen.
        private func age(_ path: String) throws -> stat {
            let past = timespec(tv_sec: 1_000, tv_nsec: 1)
            try succeed(utimensat(AT_FDCWD, path, [past, past], AT_SYMLINK_NOFOLLOW))
            return try status(path)
        }

        @Test func `times are kept to the nanosecond, also before 1970 and beyond 2038`() throws {
            let path = try makeDirectory() + "/f"
            try put("", at: path)
            for (seconds, nanoseconds) in [(1_234_567_890, 123_456_789), (-5, 999_999_999), (1 << 33, 7)] {
                let time = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
                try succeed(utimensat(AT_FDCWD, path, [time, time], 0))
                let found = try status(path)
                #expect(found.st_mtim.tv_sec == seconds && found.st_mtim.tv_nsec == nanoseconds)
                #expect(found.st_atim.tv_sec == seconds && found.st_atim.tv_nsec == nanoseconds)
            }
        }

        @Test func `a change of content moves mtime and ctime, a change of attributes ctime alone`() throws {
            let path = try makeDirectory() + "/f"
            try put("text", at: path)
            let file = try File(path)
            let contents: [() throws -> Void] = [
                { try file.write("y") }, { try file.truncate(to: 100) }, { try file.allocate(3, 0..<50) },
                { try file.allocate(0, 0..<5_000) },
                { try succeed(dbxfs_test_copy(file.descriptor, 0, file.descriptor, 6_000, 10)) },
            ]
            for change in contents {
                let before = try age(path)
                try change()
                let after = try status(path)
                #expect(after.modified > before.modified && after.changed > before.changed)
            }
            let attributes: [() throws -> Void] = [
                { try succeed(chmod(path, 0o600)) }, { try succeed(chown(path, getuid(), getgid())) },
                { try succeed(link(path, path + "2")) }, { try succeed(unlink(path + "2")) },
                { try succeed(rename(path, path + "3")) },
                { try succeed(fsetxattr(file.descriptor, "user.a", "1", 1, 0)) },
                { try succeed(fremovexattr(file.descriptor, "user.a")) },
            ]
            for change in attributes {
                try file.setTimes(1_000)
                let before = try file.status()
                try change()
                let after = try file.status()
                #expect(after.modified == before.modified && after.changed > before.changed)
            }
        }

        @Test func `a directory's mtime and ctime move with its names`() throws {
            let path = try makeDirectory()
            let changes: [() throws -> Void] = [
                { try put("", at: path + "/f") }, { try succeed(mkdir(path + "/d", 0o755)) },
                { try succeed(link(path + "/f", path + "/l")) }, { try succeed(symlink("x", path + "/s")) },
                { try succeed(rename(path + "/f", path + "/g")) }, { try succeed(unlink(path + "/g")) },
                { try succeed(rmdir(path + "/d")) }, { try succeed(rename(path + "/l", path + "/s")) },
            ]
            for change in changes {
                let before = try age(path)
                try change()
                let after = try status(path)
                #expect(after.modified > before.modified && after.changed > before.changed)
            }
        }

        @Test func `a failed call moves no time`() throws {
            let path = try makeDirectory()
            try put("", at: path + "/f")
            let before = try age(path)
            expect(EEXIST) { try succeed(mkdir(path + "/f", 0o755)) }
            expect(ENOTDIR) { try succeed(rmdir(path + "/f")) }
            expect(ENOENT) { try succeed(unlink(path + "/none")) }
            #expect(try status(path).changed == before.changed)
        }

        @Test func `a read moves the access time once after a change`() throws {
            let path = try makeDirectory() + "/f"
            try put("text", at: path)
            let before = try age(path)
            _ = try content(path)
            #expect(try status(path).accessed > before.accessed)
            let first = try status(path).accessed
            _ = try content(path)
            #expect(try status(path).accessed == first)
        }

        @Test func `a time can be left alone while the other is set`() throws {
            let path = try makeDirectory() + "/f"
            try put("", at: path)
            _ = try age(path)
            let (omit, time) = (timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2), timespec(tv_sec: 5, tv_nsec: 6))
            try succeed(utimensat(AT_FDCWD, path, [omit, time], 0))
            #expect(try status(path).modified == 5_000_000_006 && status(path).accessed == 1_000_000_000_001)
        }
    }
}
