import DbxLocalStore
import DbxModel
import DbxSyncKit
import DbxTestKit
import Testing

/// A file that somebody writes to keeps its content until it is closed, whatever comes from elsewhere meanwhile.
@Suite("Contents that wait for a close")
struct DeferredTests {
    private static let farOffset = ContentLimits.segmentBytes

    /// `here` has the file open, `there` has it too; the file has a byte in each of two stretches.
    private struct Setting {
        /// Keeps the server.
        private let world: World
        let here: TestDevice
        let there: TestDevice
        let id: NodeID

        init() throws {
            world = try World(seed: 1, partial: [], full: ["here", "there"])
            (here, there) = (world.full[0], world.full[1])
            try ScriptedProgram(device: there).run("make f a")
            try DeferredTests.put("a", at: DeferredTests.farOffset, on: there)
            try DeferredTests.send(there)
            try here.pull()
            let node = try DeferredTests.file(here)
            id = node.id
            here.busy = [node.number]
        }

        func edit(_ text: String, at offset: Int64) throws {
            try DeferredTests.put(text, at: offset, on: there)
            try DeferredTests.send(there)
        }
    }

    private static func file(_ device: TestDevice) throws -> LocalNode {
        try #require(try device.store.lookup(.root, Name(Array("f".utf8))!))
    }

    private static func put(_ text: String, at offset: Int64, on device: TestDevice) throws {
        let (store, number) = (device.store, try file(device).number)
        let bytes = Array(text.utf8)
        let range = try store.reserveStaging(number, offset: offset, length: Int64(bytes.count))
        try store.segments.write(bytes, at: range.location)
        _ = try store.recordWrite(
            number, offset: offset, length: Int64(bytes.count), range: range, now: device.moment())
    }

    private static func send(_ device: TestDevice) throws { while try device.push() {} }

    private static func shows(_ first: Character, _ second: Character, _ device: TestDevice) throws -> Bool {
        let bytes = try device.read(try file(device))
        return bytes.first == first.asciiValue && bytes[Int(farOffset)] == second.asciiValue
    }

    @Test("count with what a later pull brings once the file is closed", .timeLimit(.minutes(1)))
    func laterPull() throws {
        let setting = try Setting()
        try setting.edit("b", at: 0)
        try setting.here.pull()
        #expect(try Self.shows("a", "a", setting.here), "the file is open")
        try setting.edit("c", at: Self.farOffset)
        // Closed, and the pull comes before what waited is looked at.
        setting.here.busy = []
        try setting.here.pull()
        #expect(try Self.shows("b", "c", setting.here))
        try setting.edit("d", at: 0)
        try setting.here.pull()
        try setting.here.applyDeferred(setting.id)
        #expect(try Self.shows("d", "c", setting.here), "what waited is older than this")
    }

    @Test("do not come back over what a conflict has settled", .timeLimit(.minutes(1)))
    func conflict() throws {
        let setting = try Setting()
        try setting.edit("b", at: 0)
        try setting.here.pull()
        try Self.put("mine", at: 0, on: setting.here)
        try setting.edit("c", at: 0)
        setting.here.busy = []
        try setting.here.pull()
        try setting.here.applyDeferred(setting.id)
        #expect(try Self.shows("c", "a", setting.here))
        #expect(setting.here.conflicts.count == 1)
        try Self.send(setting.here)
        try setting.there.pull()
        #expect(try setting.here.tree() == setting.there.tree())
    }

    @Test("count at the close where nothing else has come", .timeLimit(.minutes(1)))
    func close() throws {
        let setting = try Setting()
        try setting.edit("b", at: 0)
        try setting.here.pull()
        try setting.edit("c", at: Self.farOffset)
        try setting.here.pull()
        setting.here.busy = []
        try setting.here.applyDeferred(setting.id)
        #expect(try Self.shows("b", "c", setting.here))
    }
}
