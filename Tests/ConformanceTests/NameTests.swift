import Glibc
import Testing

extension ConformanceTests {
    @Suite struct NameTests {
        private func name(_ length: Int) -> String { String(repeating: "n", count: length) }

        @Test func `a name has up to 255 bytes, for every call that takes one`() throws {
            let path = try makeDirectory()
            try put("x", at: path + "/" + name(255))
            #expect(try names(in: path) == [name(255)])
            let long = path + "/" + name(256)
            expect(ENAMETOOLONG) { try put("", at: long) }
            expect(ENAMETOOLONG) { try succeed(mkdir(long, 0o755)) }
            expect(ENAMETOOLONG) { try succeed(mkfifo(long, 0o644)) }
            expect(ENAMETOOLONG) { try succeed(symlink("x", long)) }
            expect(ENAMETOOLONG) { try succeed(link(path + "/" + name(255), long)) }
            expect(ENAMETOOLONG) { try succeed(rename(path + "/" + name(255), long)) }
            expect(ENAMETOOLONG) { try succeed(unlink(long)) }
            expect(ENAMETOOLONG) { _ = try status(long) }
        }

        @Test func `names are bytes: no encoding, no case folding, no normal form`() throws {
            let path = try makeDirectory()
            let odd = [[0xFF], [0x61], [0x41], [0xC3, 0xA4], [0x61, 0xCC, 0x88], [0x0A], [0x20]] as [[UInt8]]
            for name in odd {
                let bytes = (Array((path + "/").utf8) + name + [0]).map { CChar(bitPattern: $0) }
                let file = try succeed(open(bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644))
                close(file)
            }
            #expect(try names(in: path).count == odd.count)
        }

        @Test func `a path has up to 4095 bytes, and what lies deeper is reached in steps`() throws {
            let base = try makeDirectory()
            var deep = base
            while deep.utf8.count + 201 < 4_095 - 1 {
                deep += "/" + name(200)
                try succeed(mkdir(deep, 0o755))
            }
            let path = deep + "/" + name(4_095 - deep.utf8.count - 1)
            try put("deep", at: path)
            #expect(try content(path) == "deep")
            expect(ENAMETOOLONG) { _ = try status(path + "n") }
            let directory = try File(deep, O_RDONLY | O_DIRECTORY)
            defer { directory.stay() }
            try succeed(mkdirat(directory.descriptor, name(255), 0o755))
            let below = try succeed(openat(directory.descriptor, name(255), O_RDONLY | O_DIRECTORY | O_CLOEXEC))
            defer { close(below) }
            try succeed(mkdirat(below, name(255), 0o755))
            expect(ENAMETOOLONG) { _ = try status(deep + "/" + name(255) + "/" + name(255)) }
        }

        @Test func `a symlink holds up to 4095 bytes, and following one in a circle is ELOOP`() throws {
            let path = try makeDirectory()
            try succeed(symlink(name(4_095), path + "/long"))
            var target = [CChar](repeating: 0, count: 5_000)
            #expect(readlink(path + "/long", &target, target.count) == 4_095)
            #expect(try status(path + "/long").st_size == 4_095)
            expect(ENAMETOOLONG) { try succeed(symlink(name(4_096), path + "/longer")) }
            expect(ENOENT) { try succeed(symlink("", path + "/empty")) }
            try succeed(symlink("b", path + "/a"))
            try succeed(symlink("a", path + "/b"))
            expect(ELOOP) { _ = try content(path + "/a") }
            expect(ELOOP) { _ = try File(path + "/long", O_RDONLY | O_NOFOLLOW) }
            expect(EINVAL) { try succeed(readlink(path, &target, target.count)) }
        }

        @Test func `a path through a file is ENOTDIR, and a name that is taken EEXIST`() throws {
            let path = try makeDirectory()
            try put("", at: path + "/f")
            expect(ENOTDIR) { _ = try status(path + "/f/x") }
            expect(ENOTDIR) { try succeed(mkdir(path + "/f/x", 0o755)) }
            expect(ENOENT) { try put("", at: path + "/none/x") }
            expect(EEXIST) { try succeed(mkdir(path + "/f", 0o755)) }
            expect(EEXIST) { try succeed(symlink("x", path + "/f")) }
            expect(EEXIST) { try succeed(mkfifo(path + "/f", 0o644)) }
            expect(EEXIST) { _ = try File(path + "/f", O_WRONLY | O_CREAT | O_EXCL) }
            expect(EISDIR) { _ = try File(path, O_WRONLY) }
        }
    }
}
