import CTestShims
import Glibc
import Testing

extension ConformanceTests {
    @Suite struct LinkTests {
        @Test func `names of one file share everything, across directories too`() throws {
            let path = try makeDirectory()
            try succeed(mkdir(path + "/d", 0o755))
            try put("one", at: path + "/a")
            try succeed(link(path + "/a", path + "/d/b"))
            #expect(try status(path + "/a").st_nlink == 2)
            #expect(try status(path + "/a").st_ino == status(path + "/d/b").st_ino)
            try put("two", at: path + "/d/b")
            try succeed(chmod(path + "/d/b", 0o600))
            #expect(try content(path + "/a") == "two" && status(path + "/a").permissions == 0o600)
            try succeed(unlink(path + "/a"))
            #expect(try status(path + "/d/b").st_nlink == 1)
        }

        @Test func `directories have one name, and a link of a symlink is one of the symlink`() throws {
            let path = try makeDirectory()
            try succeed(mkdir(path + "/d", 0o755))
            expect(EPERM) { try succeed(link(path + "/d", path + "/e")) }
            try succeed(symlink("nowhere", path + "/s"))
            try succeed(link(path + "/s", path + "/t"))
            #expect(try status(path + "/t").type == S_IFLNK && status(path + "/t").st_nlink == 2)
        }

        @Test func `a file without a name is gone with its last close, unless it is named`() throws {
            let path = try makeDirectory()
            let flags = O_RDWR | Int32(dbxfs_test_o_tmpfile)
            let file = try File(path, flags)
            try file.write("kept")
            #expect(try file.status().st_nlink == 0 && names(in: path) == [])
            defer { file.stay() }
            let place = "/proc/self/fd/\(file.descriptor)"
            try succeed(linkat(AT_FDCWD, place, AT_FDCWD, path + "/named", AT_SYMLINK_FOLLOW))
            #expect(try content(path + "/named") == "kept" && file.status().st_nlink == 1)
            let exclusive = try File(path, flags | O_EXCL)
            defer { exclusive.stay() }
            let other = "/proc/self/fd/\(exclusive.descriptor)"
            expect(ENOENT) { try succeed(linkat(AT_FDCWD, other, AT_FDCWD, path + "/x", AT_SYMLINK_FOLLOW)) }
        }

        @Test func `a removed file gets no new name`() throws {
            let path = try makeDirectory()
            let file = try File(path + "/f")
            try succeed(unlink(path + "/f"))
            defer { file.stay() }
            let place = "/proc/self/fd/\(file.descriptor)"
            expect(ENOENT) { try succeed(linkat(AT_FDCWD, place, AT_FDCWD, path + "/g", AT_SYMLINK_FOLLOW)) }
        }
    }
}
