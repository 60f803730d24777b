import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite struct NoticeTests {
    @Test func `exactly what changed and what the kernel may know is invalidated`() throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let directory = try fixture.makeDirectory("d")
            let file = try fixture.makeFile("f")
            let name = Name("n")!
            files.apply(changes: [.entry(parent: directory, name: name), .attributes(directory), .attributes(file)])
            #expect(
                fixture.notices.take() == [.entry(directory, "n"), .content(directory), .attributes(file)])
            files.apply(changes: [.content(file), .attributes(file)])
            #expect(fixture.notices.take() == [.content(file)])
            files.forget(file, count: 1)
            files.forget(directory, count: 1)
            files.apply(changes: [.content(file), .entry(parent: directory, name: name), .attributes(file)])
            #expect(fixture.notices.take().isEmpty)
            files.apply(changes: [.entry(parent: .root, name: name)])
            #expect(fixture.notices.take() == [.entry(.root, "n"), .content(.root)])
        }
    }

    @Test func `a file opened after a remote change is not served from what the kernel kept`() throws {
        try withFixture { fixture in
            let file = try fixture.makeRemoteFile("f", [1, 2, 3])
            _ = try fixture.lookup("f")
            func keepsCache() throws -> Bool {
                let opened = try fixture.fileSystem.open(file, options: [], by: fixture.caller)
                fixture.fileSystem.release(opened.handle)
                return opened.keepsCache
            }
            #expect(try keepsCache())
            fixture.fileSystem.apply(changes: [.content(file)])
            #expect(try keepsCache() == false)
            #expect(try keepsCache())
        }
    }

    @Test func `the sync engine hears of changes, last writers and fsyncs`() throws {
        try withFixture { fixture in
            let files = fixture.fileSystem
            let (made, first) = try files.create(
                Name("f")!, in: .root, permissions: 0o644, options: .write, by: fixture.caller)
            let second = try files.open(made.number, options: .write, by: fixture.caller)
            let reader = try files.open(made.number, options: [], by: fixture.caller)
            #expect(files.openForWriting(made.number) && fixture.events.seen.changes == 1)
            files.release(first.handle)
            #expect(fixture.events.seen.closed.isEmpty)
            files.release(second.handle)
            #expect(fixture.events.seen.closed == [made.number])
            #expect(!files.openForWriting(made.number) && files.isOpen(made.number))
            files.release(reader.handle)
            #expect(!files.isOpen(made.number))
            try fixture.write([1], to: made.number)
            try fixture.synchronize(made.number)
            #expect(fixture.events.seen.synchronized == [made.number])
        }
    }
}
