import Glibc
import Testing

extension ConformanceTests {
    @Suite struct RenameTests {
        private static let noReplace: UInt32 = 1
        private static let exchange: UInt32 = 2

        enum Kind: CaseIterable, CustomStringConvertible {
            case file, directory, symlink, fifo
            var description: String {
                switch self {
                case .file: "file"
                case .directory: "directory"
                case .symlink: "symlink"
                case .fifo: "fifo"
                }
            }

            func make(_ path: String) throws {
                switch self {
                case .file: try put(path, at: path)
                case .directory: try succeed(mkdir(path, 0o755))
                case .symlink: try succeed(Glibc.symlink("nowhere", path))
                case .fifo: try succeed(mkfifo(path, 0o644))
                }
            }
        }

        @Test(arguments: Kind.allCases, Kind.allCases)
        func `what may replace what`(source: Kind, target: Kind) throws {
            let path = try makeDirectory()
            try source.make(path + "/a")
            try target.make(path + "/b")
            let moved = try status(path + "/a").st_ino
            switch (source == .directory, target == .directory) {
            case (true, false): expect(ENOTDIR) { try move(path + "/a", to: path + "/b") }
            case (false, true): expect(EISDIR) { try move(path + "/a", to: path + "/b") }
            default:
                try move(path + "/a", to: path + "/b")
                #expect(try names(in: path) == ["b"])
                #expect(try status(path + "/b").st_ino == moved)
            }
        }

        @Test(arguments: Kind.allCases, Kind.allCases)
        func `RENAME_EXCHANGE swaps any two, RENAME_NOREPLACE replaces nothing`(one: Kind, two: Kind) throws {
            let path = try makeDirectory()
            try succeed(mkdir(path + "/d", 0o755))
            try one.make(path + "/a")
            try two.make(path + "/d/b")
            let numbers = (try status(path + "/a").st_ino, try status(path + "/d/b").st_ino)
            expect(EEXIST) { try move(path + "/a", to: path + "/d/b", flags: Self.noReplace) }
            try move(path + "/a", to: path + "/d/b", flags: Self.exchange)
            #expect(try (status(path + "/d/b").st_ino, status(path + "/a").st_ino) == numbers)
            #expect(try status(path).st_nlink == (two == .directory ? 4 : 3))
            #expect(try status(path + "/d").st_nlink == (one == .directory ? 3 : 2))
            expect(ENOENT) { try move(path + "/a", to: path + "/none", flags: Self.exchange) }
            expect(EINVAL) { try move(path + "/a", to: path + "/d/b", flags: Self.exchange | Self.noReplace) }
        }

        @Test func `a directory moves into no directory below it, and replaces only an empty one`() throws {
            let path = try makeDirectory()
            for name in ["/a", "/a/b", "/full", "/full/x", "/empty"] { try succeed(mkdir(path + name, 0o755)) }
            expect(EINVAL) { try move(path + "/a", to: path + "/a/b/c") }
            expect(EINVAL) { try move(path + "/a", to: path + "/a/b", flags: Self.exchange) }
            expect(ENOTEMPTY) { try move(path + "/a", to: path + "/full") }
            expect(ENOTEMPTY) { try move(path + "/a/b", to: path + "/a") }
            try move(path + "/a", to: path + "/empty")
            #expect(try names(in: path + "/empty") == ["b"])
            expect(EBUSY) { try move(path + "/.", to: path + "/x") }
        }

        @Test func `a move between directories takes the link counts along`() throws {
            let path = try makeDirectory()
            for name in ["/a", "/b", "/a/d"] { try succeed(mkdir(path + name, 0o755)) }
            try move(path + "/a/d", to: path + "/b/d")
            #expect(try status(path + "/a").st_nlink == 2 && status(path + "/b").st_nlink == 3)
            #expect(try status(path + "/b/d/..").st_ino == status(path + "/b").st_ino)
        }

        @Test func `two names of one file stay both when one is moved to the other`() throws {
            let path = try makeDirectory()
            try put("x", at: path + "/a")
            try succeed(link(path + "/a", path + "/b"))
            try move(path + "/a", to: path + "/b")
            #expect(try names(in: path) == ["a", "b"])
        }

        @Test func `a replaced file lives as long as it is open`() throws {
            let path = try makeDirectory()
            try put("old", at: path + "/a")
            try put("new", at: path + "/b")
            let old = try File(path + "/a", O_RDWR)
            try move(path + "/b", to: path + "/a")
            #expect(try old.text(0..<10) == "old" && old.status().st_nlink == 0)
            #expect(try content(path + "/a") == "new")
            try old.write("still")
            #expect(try old.text(0..<10) == "still")
        }
    }
}
