import DbxLocalStore
import DbxModel
import DbxTestKit
import Testing

/// What names cost, told in SQLite's instructions: a program waits for them with the store's lock held.
@Suite("Of a directory with a thousand new files")
struct NameCostTests {
    private static let files = 1_000

    private func cost(_ fixture: StoreFixture, _ work: (LocalStore, Int) throws -> Void) rethrows -> Int64 {
        let before = fixture.store.databaseInstructions
        for index in 0..<Self.files { try work(fixture.store, index) }
        return (fixture.store.databaseInstructions - before) / Int64(Self.files)
    }

    @Test("each is made, renamed and removed in few steps")
    func steps() throws {
        let fixture = try StoreFixture()
        let now = fixture.now
        let made = try cost(fixture) { store, index in
            _ = try store.create(NewNode(kind: .file, mode: 0o644), in: .root, Name("f\(index)")!, now: now)
        }
        let renamed = try cost(fixture) { store, index in
            try store.rename(from: .root, Name("f\(index)")!, to: .root, Name("r\(index)")!, mode: .replace, now: now)
        }
        var orphans: [InodeNumber] = []
        let unlinked = try cost(fixture) { store, index in
            orphans.append(try store.unlink(.root, Name("r\(index)")!, now: now).number)
        }
        let dropped = try cost(fixture) { store, index in try store.removeOrphan(orphans[index]) }
        #expect(made < 280)
        #expect(renamed < 330)
        #expect(unlinked < 250)
        #expect(dropped < 110)
        #expect(try fixture.store.node(.root)?.links == 2)
    }
}
