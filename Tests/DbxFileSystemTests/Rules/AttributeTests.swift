import DbxFileSystem
import DbxLocalStore
import DbxModel
import DbxSystem
import Testing

@Suite struct AttributeTests {
    @Test func `times are set to the nanosecond, and a change of attributes moves only ctime`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            let before = try fixture.attributes(number)
            let moment = Timestamp(seconds: 981_173_106, nanoseconds: 123_456_789)
            let set = try fixture.fileSystem.setAttributes(
                of: number, to: AttributeChange(accessTime: .at(moment), modificationTime: .at(moment)))
            #expect(set.accessTime == moment && set.modificationTime == moment && set.changeTime > before.changeTime)
            let changed = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(permissions: 0o600))
            #expect(changed.modificationTime == moment && changed.changeTime > set.changeTime)
            #expect(changed.permissions == 0o600)
        }
    }

    @Test func `a write moves mtime and ctime together`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            let before = try fixture.attributes(number)
            try fixture.write([1], to: number)
            let after = try fixture.attributes(number)
            #expect(after.modificationTime > before.modificationTime && after.changeTime == after.modificationTime)
        }
    }

    @Test func `truncation cuts, extends by a hole and moves the times`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            try fixture.write(Array("hello".utf8), to: number)
            let before = try fixture.attributes(number)
            var set = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(size: 2))
            #expect(set.size == 2 && set.modificationTime > before.modificationTime)
            set = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(size: 4))
            #expect(try fixture.read(number) == [0x68, 0x65, 0, 0])
            expect(.isDirectory) { _ = try fixture.fileSystem.setAttributes(of: .root, to: AttributeChange(size: 0)) }
            expect(.fileTooLarge) {
                _ = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(size: .max))
            }
        }
    }

    @Test func `opening with truncation empties the file and takes set-id bits away`() throws {
        try withFixture(ownership: .numbers(uid: 0, gid: 0)) { fixture in
            let number = try fixture.makeFile("f", mode: 0o6755)
            try fixture.write([1, 2, 3], to: number)
            let opened = try fixture.fileSystem.open(
                number, options: [.write, .truncate], by: Caller(uid: 5, gid: 5))
            fixture.fileSystem.release(opened.handle)
            let after = try fixture.attributes(number)
            #expect(after.size == 0 && after.permissions == 0o755)
        }
    }

    @Test func `an ordinary user's mount shows everything as theirs and gives nothing away`() throws {
        try withFixture(ownership: .everythingIs(uid: 1000, gid: 100)) { fixture in
            let number = try fixture.makeFile("f")
            let made = try fixture.attributes(number)
            #expect(made.uid == 1000 && made.gid == 100)
            expect(.notPermitted) { _ = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(uid: 0)) }
            expect(.notPermitted) { _ = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(gid: 7)) }
            let same = try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(uid: 1000, gid: 100))
            #expect(same.uid == 1000)
        }
    }

    @Test func `a mount for all shows numbers, and stores its own user as owner`() throws {
        try withFixture(ownership: .numbers(uid: 0, gid: 0)) { fixture in
            let theirs = try fixture.makeFile("theirs")
            let ours = try fixture.fileSystem.make(
                NodeBlueprint(kind: .file, permissions: 0o644), named: Name("ours")!, in: .root,
                by: Caller(uid: 0, gid: 0))
            #expect(try fixture.attributes(theirs).uid == 1000)
            #expect(ours.uid == 0)
            let stored = try fixture.shared.withStore { store in
                (try store.node(theirs)?.attributes.uid, try store.node(ours.number)?.attributes.uid)
            }
            #expect(stored.0 == 1000 && stored.1 == nil)
            let given = try fixture.fileSystem.setAttributes(of: ours.number, to: AttributeChange(uid: 33, gid: 34))
            #expect(given.uid == 33 && given.gid == 34)
        }
    }

    @Test func `a change of owner takes set-id bits of files away`() throws {
        try withFixture(ownership: .numbers(uid: 0, gid: 0)) { fixture in
            let number = try fixture.makeFile("f", mode: 0o6755)
            #expect(
                try fixture.fileSystem.setAttributes(of: number, to: AttributeChange(uid: 7)).permissions == 0o755)
            let locking = try fixture.makeFile("g", mode: 0o2644)
            #expect(
                try fixture.fileSystem.setAttributes(of: locking, to: AttributeChange(uid: 7)).permissions == 0o2644)
        }
    }

    @Test func `reading moves the access time once after each change`() throws {
        try withFixture { fixture in
            let number = try fixture.makeFile("f")
            try fixture.write([1], to: number)
            let written = try fixture.attributes(number)
            _ = try fixture.read(number)
            let read = try fixture.attributes(number)
            #expect(read.accessTime > written.accessTime && read.changeTime == written.changeTime)
            let opened = try fixture.fileSystem.open(number, options: [], by: fixture.caller)
            fixture.fileSystem.release(opened.handle)
            try fixture.fileSystem.synchronizeEverything()
            #expect(try fixture.attributes(number).accessTime == read.accessTime)
        }
    }
}
