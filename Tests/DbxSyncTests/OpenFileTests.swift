import DbxLocalStore
import DbxModel
import DbxSync
import DbxSyncKit
import DbxTestKit
import Testing

/// A program goes on writing to a file whose last name others have removed or replaced.
@Suite("Files that lose their name while they are open")
struct OpenFileTests {
    /// `here` has the file `d/f` open for writing, `there` has it too.
    private struct Setting {
        private let world: World
        let here: TestDevice
        let there: TestDevice
        let open: InodeNumber

        init() throws {
            world = try World(seed: 1, partial: [], full: ["here", "there"])
            (here, there) = (world.full[0], world.full[1])
            try ScriptedProgram(device: there).run("mkdir d; make d/f old")
            try Self.send(there)
            try here.pull()
            let directory = try #require(try here.store.lookup(.root, Name(Array("d".utf8))!))
            open = try #require(try here.store.lookup(directory.number, Name(Array("f".utf8))!)).number
            here.busy = [open]
        }

        private static func send(_ device: TestDevice) throws { while try device.push() {} }

        /// What `there` does arrives here.
        func elsewhere(_ script: String) throws {
            try ScriptedProgram(device: there).run(script)
            try Self.send(there)
            try here.pull()
        }

        func write(_ text: String) throws {
            let (store, bytes) = (here.store, Array(text.utf8))
            let range = try store.reserveStaging(open, offset: 0, length: Int64(bytes.count))
            try store.segments.write(bytes, at: range.location)
            _ = try store.recordWrite(
                open, offset: 0, length: Int64(bytes.count), range: range, now: here.moment())
        }

        /// What both show once all is sent: contents by path.
        func close() throws -> [String: String] {
            try here.close(open)
            try Self.send(here)
            try there.pull()
            try here.pull()
            #expect(try here.tree() == there.tree())
            return try here.tree().mapValues { String($0.split(separator: " ").last ?? "") }
        }
    }

    @Test("have what was written since kept beside what replaced them", .timeLimit(.minutes(1)))
    func replaced() throws {
        let setting = try Setting()
        try setting.elsewhere("save d/f theirs")
        try setting.write("ours")
        let shown = try setting.close()
        #expect(shown["/d/f"] == "theirs")
        #expect(shown.filter { $0.key.hasPrefix("/d/f (conflicted copy from here") }.map(\.value) == ["ours"])
        #expect(setting.here.conflicts.count == 1)
    }

    @Test("come back under their name, or further up, when they were removed and written to", .timeLimit(.minutes(1)))
    func removed() throws {
        let setting = try Setting()
        try setting.elsewhere("delete d/f")
        try setting.write("ours")
        #expect(try setting.close()["/d/f"] == "ours")

        let other = try Setting()
        try other.elsewhere("rmtree d")
        try other.write("ours")
        #expect(try other.close() == ["/f": "ours"])
    }

    @Test("go when nothing was written to them", .timeLimit(.minutes(1)))
    func untouched() throws {
        let setting = try Setting()
        try setting.elsewhere("save d/f theirs")
        #expect(try setting.close().filter { $0.key.hasPrefix("/d/") } == ["/d/f": "theirs"])
        // As after each pull.
        _ = try setting.here.store.dropDeadNodes { _ in false }
        #expect(try setting.here.store.node(setting.open) == nil)
    }

    @Test("win with what was written last where the last write does", .timeLimit(.minutes(1)))
    func lastWriteWins() throws {
        let setting = try Setting()
        setting.here.policy = .lastWriteWins
        try setting.elsewhere("save d/f theirs")
        try setting.write("ours")
        #expect(try setting.close().filter { $0.key.hasPrefix("/d/") } == ["/d/f": "ours"])
    }

    @Test("stay as they are where they have another name", .timeLimit(.minutes(1)))
    func moved() throws {
        let setting = try Setting()
        try setting.elsewhere("move d/f g")
        try setting.write("ours")
        #expect(try setting.close()["/g"] == "ours")
    }
}
