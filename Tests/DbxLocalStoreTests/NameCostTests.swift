import DbxLocalStore
import DbxModel
import DbxTestKit
import Testing

/// What names cost, told in SQLite's instructions: a program waits for them with the store's lock held.
@Suite("Of a directory with a thousand files")
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

    /// Asked for each piece of a listing and each commit: a step for each name made listings and bursts quadratic.
    @Test("folders with names of which it is not known what the server has are found without a look at each name")
    func blindNames() throws {
        let fixture = try StoreFixture()
        let (store, now) = (fixture.store, fixture.now)
        let folders = try ["made", "listed"].map { name in
            try store.create(NewNode(kind: .directory, mode: 0o755), in: .root, Name(name)!, now: now).number
        }
        try store.setKnowledge(of: folders[1], .partial)
        _ = try cost(fixture) { store, index in
            _ = try store.create(NewNode(kind: .file, mode: 0o644), in: folders[0], Name("f\(index)")!, now: now)
        }
        let attributes = NodeAttributes(mode: 0o644, mtime: now, ctime: now, birthTime: now)
        let listed = (0..<Self.files).map { index in
            ListedName(
                name: Name("f\(index)")!, seq: Seq(2),
                node: AgreedNode(
                    id: NodeID(high: 1, low: UInt64(index)), kind: .file, attributes: attributes, seq: Seq(2),
                    attributesSeq: Seq(2), contentSeq: Seq(2), size: 0, target: nil))
        }
        try store.putListed(listed, in: folders[1])
        let none = try cost(fixture) { store, _ in
            let found = try store.directoriesWithBlindNames(limit: 9)
            #expect(found == [])
        }
        _ = try store.create(NewNode(kind: .file, mode: 0o644), in: folders[1], Name("new")!, now: now)
        let one = try cost(fixture) { store, _ in
            let found = try store.directoriesWithBlindNames(limit: 9)
            #expect(found == [folders[1]])
        }
        #expect(max(none, one) < 200)
    }
}
