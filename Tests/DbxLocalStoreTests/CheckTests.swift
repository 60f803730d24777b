import CTestShims
import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import Foundation
import Testing

@Suite("Checking and rescuing a local store")
struct CheckTests {
    /// A store with a directory, unsent files, a sent one and cached blocks; closed, with all of it in `state.db`.
    private func filled() throws -> StoreFixture {
        let fixture = try StoreFixture()
        let store = fixture.store
        let directory = try store.create(
            NewNode(kind: .directory, mode: 0o755), in: .root, Name("d")!, now: fixture.now)
        let file = try store.create(
            NewNode(kind: .file, mode: 0o644), in: directory.number, Name("unsent")!, now: fixture.now)
        try fixture.write([UInt8](repeating: 7, count: 10_000), to: file.number, at: 0)
        try fixture.write(Array("second".utf8), to: try fixture.file("also"), at: 5_000)
        _ = try store.link(file.number, in: .root, Name("link")!, now: fixture.now)
        try addBlock(to: fixture, "sent")
        try addFrames(to: store)
        try fixture.epoch()
        return fixture
    }

    /// The second frame of a block, and the last one.
    private func addFrames(to store: LocalStore) throws {
        let id = try #require(BlockID(bytes: [UInt8](repeating: 0xFE, count: 32)))
        try store.putBlocks([
            AgreedBlock(id: id, wrap: [1], key: KeyID(high: 1, low: 1), plainBytes: 200_000, storedBytes: 200_100)
        ])
        let number = try #require(try store.blockNumber(id))
        for (frame, count) in [(1, 65_536), (3, 3_392)] {
            let bytes = [UInt8](repeating: UInt8(frame), count: count)
            let place = try store.reserveCache(bytes: Int64(count))
            try store.segments.write(bytes, at: place)
            try store.commitCache(
                frames: frame..<frame + 1, of: number, at: place, bytes: Int64(count),
                checksums: [CRC32C.checksum(bytes)])
        }
    }

    private func addBlock(to fixture: StoreFixture, _ name: String) throws {
        let store = fixture.store
        let id = try #require(BlockID(bytes: [UInt8](repeating: UInt8(name.utf8.count), count: 32)))
        try store.putBlocks([
            AgreedBlock(id: id, wrap: [1], key: KeyID(high: 1, low: 1), plainBytes: 5_000, storedBytes: 5_000)
        ])
        let number = try #require(try store.blockNumber(id))
        let bytes = [UInt8](repeating: 9, count: 5_000)
        let place = try store.reserveCache(bytes: 5_000)
        try store.segments.write(bytes, at: place)
        try store.commitCache(number, at: place, bytes: 5_000, checksums: [CRC32C.checksum(bytes)])
        let file = try fixture.file(name)
        try fixture.write(bytes, to: file, at: 0)
        let snapshot = try #require(try store.beginUpload(file))
        store.endUpload(snapshot)
        try store.settle(snapshot, as: [(0, [Extent(offset: 0, length: 5_000, block: id, blockOffset: 0)])])
    }

    @Test("a store in daily use has nothing wrong")
    func clean() throws {
        let fixture = try filled()
        #expect(try fixture.store.check(repairs: false) == [])
        try fixture.reopen()
        #expect(try fixture.store.check(repairs: false) == [])
    }

    struct Damage: CustomTestStringConvertible {
        var sql: String
        var kind: StoreProblem.Kind
        var isRepairable = true
        var testDescription: String { sql }
    }

    static let damages = [
        Damage(sql: "UPDATE nodes SET links = 7 WHERE kind = 0", kind: .links),
        Damage(sql: "UPDATE nodes SET links = 7 WHERE number = 1", kind: .links),
        Damage(sql: "UPDATE nodes SET allocated = 1 WHERE allocated > 1", kind: .allocation),
        Damage(sql: "UPDATE entries SET child = 999 WHERE name = CAST('also' AS BLOB)", kind: .entry),
        Damage(sql: "UPDATE entries SET parent = 999 WHERE name = CAST('unsent' AS BLOB)", kind: .entry),
        Damage(sql: "DELETE FROM dirty_stretches", kind: .unmarked),
        Damage(sql: "UPDATE nodes SET flags = flags & ~2", kind: .unmarked),
        Damage(sql: "UPDATE cache SET checksums = x'00000000'", kind: .cache),
        Damage(sql: "UPDATE cache SET place = 0", kind: .space),
        Damage(sql: "UPDATE cache SET length = 3000 WHERE block < 0", kind: .cache),
        Damage(sql: "UPDATE cache SET block = block - 8 WHERE block < 0", kind: .cache),
        Damage(sql: "UPDATE nodes SET size = 10 WHERE size > 10", kind: .extent, isRepairable: false),
        Damage(sql: "UPDATE content SET block = 77 WHERE block IS NOT NULL", kind: .extent, isRepairable: false),
        Damage(sql: "UPDATE content SET segment = 9 WHERE block IS NULL", kind: .extent, isRepairable: false),
        Damage(
            sql: "UPDATE entries SET parent = child WHERE name = CAST('d' AS BLOB)", kind: .unreachable,
            isRepairable: false),
    ]

    @Test("finds what is wrong and repairs what the rest tells", arguments: damages)
    func finds(damage: Damage) throws {
        let fixture = try filled()
        fixture.close()
        try Shell.script("sqlite3 '\(fixture.path)/state.db' \"PRAGMA wal_autocheckpoint = 0; \(damage.sql)\"")
        try fixture.reopen()
        let found = try fixture.store.check(repairs: false)
        #expect(found.contains { $0.kind == damage.kind && !$0.isRepaired }, "\(found)")
        guard damage.isRepairable else { return }
        let repaired = try fixture.store.check(repairs: true)
        #expect(!repaired.contains { !$0.isRepaired }, "\(repaired)")
        // One repair may uncover what another has to put right.
        _ = try fixture.store.check(repairs: true)
        #expect(try fixture.store.check(repairs: false) == [])
        try fixture.reopen()
        #expect(try fixture.store.check(repairs: false) == [])
    }

    @Test(
        "refuses rows that no file could have, so that what is unsent is saved",
        arguments: [
            "UPDATE content SET place = 67108000 WHERE block IS NULL", "UPDATE content SET place = -4096",
            "UPDATE content SET length = -1", "UPDATE content SET length = 1 << 62 WHERE block IS NULL",
            "UPDATE content SET epoch = 9223372036854775807 WHERE block IS NULL",
            "UPDATE cache SET place = 67104768 WHERE length > 4096", "UPDATE cache SET length = 1 << 40",
            "UPDATE cache SET place = -4096",
        ])
    func impossible(sql: String) throws {
        let fixture = try filled()
        fixture.close()
        try Shell.script("sqlite3 '\(fixture.path)/state.db' \"PRAGMA wal_autocheckpoint = 0; \(sql)\"")
        #expect {
            try fixture.reopen()
        } throws: { error in
            if case .corrupt = error as? StoreError { true } else { false }
        }
    }

    // MARK: Rescue

    @Test(
        "a damaged or missing database is refused, and every unsent file of the last epoch is saved",
        arguments: [true, false])
    func rescue(isGone: Bool) throws {
        let fixture = try filled()
        let also = try #require(try fixture.store.lookup(.root, Name("also")!)).number
        _ = try fixture.store.rename(
            from: .root, Name("also")!, to: .root, Name("renamed")!, mode: .replace, now: fixture.now)
        try fixture.write(Array("x".utf8), to: also, at: 5_002)
        try fixture.write(Array("gone".utf8), to: try fixture.file("gone"), at: 0)
        try fixture.epoch()
        try fixture.store.removeOrphan(
            try fixture.store.unlink(.root, Name("gone")!, now: fixture.now).number)
        // In place, below what the server has.
        let sent = try #require(try fixture.store.lookup(.root, Name("sent")!)).number
        try fixture.write(Array("patch".utf8), to: sent, at: 100)
        try fixture.epoch()
        fixture.close()
        let database = URL(filePath: fixture.path + "/state.db")
        if isGone {
            for suffix in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: database.path + suffix)
            }
        } else {
            try Data(repeating: 0x55, count: 100_000).write(to: database)
        }
        let failure = #expect(throws: StoreError.self) { try fixture.reopen() }
        guard case .corrupt = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }

        let rescue = try StoreRescue.run(in: fixture.path, now: Timestamp(nanoseconds: 1_800_000_000_000_000_000))
        let files = Dictionary(uniqueKeysWithValues: rescue.files.map { ($0.savedAs, $0) })
        #expect(Set(files.keys) == ["d/unsent", "renamed", "sent"] || Set(files.keys) == ["link", "renamed", "sent"])
        #expect(files["sent"]?.isWhole == false && files["renamed"]?.isWhole == true)
        #expect(files["sent"]?.unsent.map { [$0.offset, $0.length] } == [[100, 5]])
        let directory = try #require(rescue.directory)
        let renamed = try Data(contentsOf: URL(filePath: directory + "/renamed"))
        #expect(renamed == Data(repeating: 0, count: 5_000) + Data("sexond".utf8))
        let unsent = files["d/unsent"] == nil ? "/link" : "/d/unsent"
        let saved = try Data(contentsOf: URL(filePath: directory + unsent))
        #expect(saved == Data(repeating: 7, count: 10_000))
        #expect(rescue.losses.isEmpty)
        // What is there now is a store without anything.
        try fixture.reopen()
        #expect(try fixture.store.node(.root) == nil)
    }

    @Test(
        "says what was unsent as the rows do, through any work, epochs that fail and restarts", arguments: testSeeds(3))
    func logAgrees(seed: UInt64) throws {
        let workload = try StoreWorkload(disk: LossyDisk(), boot: 1, seed: seed)
        for _ in 0..<12 {
            try workload.run(steps: 8)
            let (expected, saved) = try workload.rescued()
            #expect(saved == expected, "seed \(seed)")
        }
    }
}
