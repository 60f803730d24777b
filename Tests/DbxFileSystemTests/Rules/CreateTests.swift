import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite struct CreateTests {
    @Test func `a new node has the caller's permissions, one link and the moment's times`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f", mode: 0o640)
            let made = try fixture.attributes(number)
            #expect(made.kind == .file && made.permissions == 0o640 && made.links == 1 && made.size == 0)
            #expect(made.modificationTime == made.changeTime && made.accessTime == made.changeTime)
            #expect(try fixture.lookup("f")?.number == number)
            #expect(try fixture.lookup("g") == nil)
        }
    }

    @Test func `a name is taken once`() throws {
        try withFixture { fixture in
            try fixture.makeFile("f")
            expect(.fileExists) { try fixture.makeFile("f") }
            expect(.fileExists) { try fixture.makeDirectory("f") }
            expect(.fileExists) {
                _ = try fixture.fileSystem.link(fixture.makeFile("g"), as: Name("f")!, in: .root)
            }
        }
    }

    @Test func `entries need a directory that still has a name`() throws {
        try withFixture { fixture in
            let file = try fixture.makeFile("f")
            expect(.notDirectory) { try fixture.makeFile("x", in: file) }
            let directory = try fixture.makeDirectory("d")
            try fixture.fileSystem.removeDirectory(Name("d")!, in: .root)
            expect(.noSuchFile) { try fixture.makeFile("x", in: directory) }
            expect(.noSuchFile) { try fixture.rename("f", to: "x", of: directory) }
        }
    }

    @Test func `directories count those in them, and entries change a directory's times`() throws {
        try withFixture { fixture in
            let parent = try fixture.makeDirectory("p")
            #expect(try fixture.attributes(parent).links == 2)
            let before = try fixture.attributes(parent)
            try fixture.makeDirectory("c", in: parent)
            let after = try fixture.attributes(parent)
            #expect(after.links == 3)
            #expect(after.modificationTime > before.modificationTime && after.changeTime == after.modificationTime)
            try fixture.fileSystem.removeDirectory(Name("c")!, in: parent)
            #expect(try fixture.attributes(parent).links == 2)
        }
    }

    @Test func `symlinks keep their target's bytes`() throws {
        try withFixture { fixture in
            let target: [UInt8] = [0xFF, 0x2F, 0x0A, 0x20]
            let link = try fixture.fileSystem.make(
                .symlink(to: target), named: Name("l")!, in: .root, by: fixture.caller)
            #expect(link.size == 4 && link.permissions == 0o777)
            #expect(try fixture.fileSystem.readLink(link.number) == target)
            expect(.nameTooLong) {
                _ = try fixture.fileSystem.make(
                    .symlink(to: [UInt8](repeating: 0x61, count: 4_096)), named: Name("m")!, in: .root,
                    by: fixture.caller)
            }
            expect(.invalidArgument) { _ = try fixture.fileSystem.readLink(fixture.makeFile("f")) }
        }
    }

    @Test(arguments: [NodeKind.fifo, .socket, .characterDevice, .blockDevice])
    func `special files keep kind and device number`(_ kind: NodeKind) throws {
        try withFixture { fixture in
            let made = try fixture.fileSystem.make(
                NodeBlueprint(kind: kind, permissions: 0o600, rdev: 0x0103), named: Name("s")!, in: .root,
                by: fixture.caller)
            #expect(made.kind == kind && made.rdev == 0x0103)
            expect(.invalidArgument) {
                _ = try fixture.fileSystem.open(made.number, options: [], by: fixture.caller)
            }
        }
    }

    @Test func `hard links share one node`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("a")
            let directory = try fixture.makeDirectory("d")
            let before = try fixture.attributes(number)
            let linked = try fixture.fileSystem.link(number, as: Name("b")!, in: directory)
            #expect(linked.number == number && linked.links == 2 && linked.changeTime > before.changeTime)
            expect(.notPermitted) { _ = try fixture.fileSystem.link(directory, as: Name("e")!, in: .root) }
            try fixture.fileSystem.unlink(Name("a")!, in: .root)
            #expect(try fixture.attributes(number).links == 1)
        }
    }

    @Test func `a set-group-id directory hands its group down`() throws {
        try withFixture(ownership: .numbers(uid: 0, gid: 0)) { fixture in
            let directory = try fixture.makeDirectory("d", mode: 0o2775)
            _ = try fixture.fileSystem.setAttributes(of: directory, to: AttributeChange(gid: 77))
            let file = try fixture.attributes(fixture.makeFile("f", in: directory))
            let below = try fixture.attributes(fixture.makeDirectory("e", in: directory))
            #expect(file.gid == 77 && file.permissions & 0o2000 == 0)
            #expect(below.gid == 77 && below.permissions & 0o2000 != 0)
        }
    }
}
