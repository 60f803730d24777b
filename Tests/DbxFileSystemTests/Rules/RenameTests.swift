import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite struct RenameTests {
    @Test func `a rename keeps the node and moves the name`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("a")
            let directory = try fixture.makeDirectory("d")
            try fixture.rename("a", to: "b", of: directory)
            #expect(try fixture.lookup("a") == nil)
            #expect(try fixture.lookup("b", in: directory)?.number == number)
            expect(.noSuchFile) { try fixture.rename("a", to: "c") }
        }
    }

    @Test func `files replace files and directories replace empty directories`() throws {
        try withFixture { fixture in
            try fixture.makeFile("f")
            let other = try fixture.makeFile("g")
            let directory = try fixture.makeDirectory("d")
            let full = try fixture.makeDirectory("full")
            try fixture.makeFile("x", in: full)
            expect(.isDirectory) { try fixture.rename("f", to: "d") }
            expect(.notDirectory) { try fixture.rename("d", to: "f") }
            expect(.notEmpty) { try fixture.rename("d", to: "full") }
            try fixture.rename("f", to: "g")
            #expect(try fixture.attributes(other).links == 0)
            try fixture.rename("full", to: "d")
            #expect(try fixture.lookup("d")?.number == full)
            #expect(try fixture.attributes(directory).links == 0)
        }
    }

    @Test func `a directory does not move into itself`() throws {
        try withFixture { fixture in
            let a = try fixture.makeDirectory("a")
            let b = try fixture.makeDirectory("b", in: a)
            expect(.invalidArgument) { try fixture.rename("a", to: "x", of: b) }
            expect(.invalidArgument) { try fixture.rename("a", to: "x", of: a) }
            expect(.invalidArgument) { try fixture.rename("b", in: a, to: "a", mode: .exchange) }
        }
    }

    @Test func `parents count the directories that move`() throws {
        try withFixture { fixture in
            let a = try fixture.makeDirectory("a")
            let b = try fixture.makeDirectory("b")
            try fixture.makeDirectory("c", in: a)
            try fixture.rename("c", in: a, to: "c", of: b)
            #expect(try fixture.attributes(a).links == 2)
            #expect(try fixture.attributes(b).links == 3)
        }
    }

    @Test func `noReplace refuses and exchange swaps`() throws {
        try withFixture { fixture in
            let file = try fixture.makeFile("f")
            let directory = try fixture.makeDirectory("d")
            expect(.fileExists) { try fixture.rename("f", to: "d", mode: .noReplace) }
            expect(.noSuchFile) { try fixture.rename("f", to: "none", mode: .exchange) }
            try fixture.rename("f", to: "d", mode: .exchange)
            #expect(try fixture.lookup("f")?.number == directory)
            #expect(try fixture.lookup("d")?.number == file)
            try fixture.rename("d", to: "new", mode: .noReplace)
            #expect(try fixture.lookup("new")?.number == file)
        }
    }

    @Test func `two names of one file renamed over each other both stay`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("a")
            _ = try fixture.fileSystem.link(number, as: Name("b")!, in: .root)
            try fixture.rename("a", to: "b")
            #expect(try fixture.lookup("a")?.number == number)
            #expect(try fixture.attributes(number).links == 2)
        }
    }

    @Test func `new bytes reach the disk before they replace a file`() throws {
        try withFixture { fixture in
            try fixture.makeFile("old")
            let number = try fixture.makeFile("new")
            try fixture.write([1, 2, 3], to: number)
            let rename = Rename(Name("new")!, in: .root, to: Name("old")!, in: .root)
            #expect(try fixture.fileSystem.renameAtOnce(rename) == false)
            try fixture.fileSystem.synchronizeEverything()
            #expect(try fixture.fileSystem.renameAtOnce(rename))
            #expect(try fixture.read(number) == [1, 2, 3])
        }
    }
}
