import CTestShims
import Glibc
import Testing

extension ConformanceTests {
    @Suite struct RemoveTests {
        @Test func `rmdir takes empty directories, unlink everything else`() throws {
            let path = try makeDirectory()
            try succeed(mkdir(path + "/d", 0o755))
            try put("", at: path + "/d/f")
            expect(ENOTEMPTY) { try succeed(rmdir(path + "/d")) }
            expect(ENOTDIR) { try succeed(rmdir(path + "/d/f")) }
            expect(EISDIR) { try succeed(unlink(path + "/d")) }
            expect(EINVAL) { try succeed(rmdir(path + "/d/.")) }
            expect(ENOENT) { try succeed(unlink(path + "/none")) }
            try succeed(unlink(path + "/d/f"))
            try succeed(rmdir(path + "/d"))
            #expect(try names(in: path) == [] && status(path).st_nlink == 2)
        }

        @Test func `a removed file does all that a file does, as long as it is open`() throws {
            let path = try makeDirectory()
            let file = try File(path + "/f")
            defer { file.stay() }
            try succeed(unlink(path + "/f"))
            try file.write("text")
            try file.truncate(to: 2)
            try succeed(fchmod(file.descriptor, 0o600))
            try succeed(fsetxattr(file.descriptor, "user.a", "1", 1, 0))
            try succeed(fsync(file.descriptor))
            let found = try file.status()
            #expect(found.st_nlink == 0 && found.st_size == 2 && found.permissions == 0o600)
            #expect(try File("/proc/self/fd/\(file.descriptor)", O_RDONLY).text(0..<9) == "te")
        }

        @Test func `a removed directory is empty and takes no names`() throws {
            let path = try makeDirectory()
            try succeed(mkdir(path + "/d", 0o755))
            let directory = try File(path + "/d", O_RDONLY | O_DIRECTORY)
            defer { directory.stay() }
            try succeed(rmdir(path + "/d"))
            #expect(try directory.status().st_nlink == 0)
            expect(ENOENT) { try succeed(openat(directory.descriptor, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)) }
            expect(ENOENT) { try succeed(mkdirat(directory.descriptor, "e", 0o755)) }
        }

        @Test func `a directory's link count is 2 and one for each directory in it`() throws {
            let path = try makeDirectory()
            for index in 0..<5 { try succeed(mkdir(path + "/\(index)", 0o755)) }
            try put("", at: path + "/f")
            #expect(try status(path).st_nlink == 7)
            try succeed(rmdir(path + "/3"))
            #expect(try status(path).st_nlink == 6)
        }
    }
}
