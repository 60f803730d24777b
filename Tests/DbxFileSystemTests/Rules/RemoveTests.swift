import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite struct RemoveTests {
    @Test func `unlink and rmdir each take their own kind`() throws {
        try withFixture { fixture in
            try fixture.makeFile("f")
            let directory = try fixture.makeDirectory("d")
            expect(.isDirectory) { try fixture.fileSystem.unlink(Name("d")!, in: .root) }
            expect(.notDirectory) { try fixture.fileSystem.removeDirectory(Name("f")!, in: .root) }
            expect(.noSuchFile) { try fixture.fileSystem.unlink(Name("none")!, in: .root) }
            try fixture.makeFile("x", in: directory)
            expect(.notEmpty) { try fixture.fileSystem.removeDirectory(Name("d")!, in: .root) }
            try fixture.fileSystem.unlink(Name("x")!, in: directory)
            try fixture.fileSystem.removeDirectory(Name("d")!, in: .root)
            #expect(try fixture.lookup("d") == nil)
        }
    }

    @Test func `an unlinked file is read and written until its last close and then gone`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            let first = try fixture.fileSystem.open(number, options: .write, by: fixture.caller)
            let second = try fixture.fileSystem.open(number, options: [], by: fixture.caller)
            try fixture.fileSystem.unlink(Name("f")!, in: .root)
            fixture.fileSystem.forget(number, count: 1)
            try fixture.write(Array("still".utf8), to: number)
            fixture.fileSystem.release(first.handle)
            #expect(try fixture.read(second.handle, at: 0, count: 10) == Array("still".utf8))
            #expect(try fixture.attributes(number).links == 0)
            fixture.fileSystem.release(second.handle)
            try waitUntil { (try? fixture.attributes(number)) == nil }
            expect(.stale) { _ = try fixture.attributes(number) }
        }
    }

    @Test func `a handle of before does not bring back what is about to go`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            try fixture.fileSystem.unlink(Name("f")!, in: .root)
            #expect(try fixture.fileSystem.lookup(number).links == 0, "the kernel refers to it")
            fixture.fileSystem.forget(number, count: 2)
            expect(.stale) { _ = try fixture.fileSystem.lookup(number) }
        }
    }

    @Test func `what the kernel refers to stays until it forgets`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            _ = try fixture.lookup("f")
            try fixture.fileSystem.unlink(Name("f")!, in: .root)
            fixture.fileSystem.forget(number, count: 1)
            #expect(try fixture.attributes(number).links == 0)
            fixture.fileSystem.forget(number, count: 1)
            try waitUntil { (try? fixture.attributes(number)) == nil }
        }
    }

    @Test func `a file with another name only loses one`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("a")
            _ = try fixture.fileSystem.link(number, as: Name("b")!, in: .root)
            try fixture.fileSystem.unlink(Name("a")!, in: .root)
            fixture.fileSystem.forget(number, count: 2)
            #expect(try fixture.lookup("b")?.number == number)
        }
    }
}

/// Waits for what happens on another thread.
func waitUntil(_ condition: () throws -> Bool) throws {
    let deadline = SystemTime().monotonic() + .seconds(10)
    while try !condition() {
        guard SystemTime().monotonic() < deadline else { throw Errno.timedOut }
        _ = Monitor(()).wait(timeout: .milliseconds(2)) { _ in Bool?.none }
    }
}
