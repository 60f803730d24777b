import DbxLocalStore
import DbxModel
import DbxTestKit
import Foundation
import Testing

/// The log of unsent bytes is written anew by the first epoch after a start, however many there are.
@Suite("With thousands of files staged, the first epoch after a start")
struct GatheringTests {
    private func fixture(files: Int) throws -> StoreFixture {
        let fixture = try StoreFixture()
        try fixture.store.transaction {
            for index in 0..<files {
                try fixture.write(
                    [UInt8](repeating: UInt8(index & 255), count: 5), to: fixture.file("f\(index)"), at: 0)
            }
        }
        try fixture.reopen()
        return fixture
    }

    @Test("gathers them some at a time, and begins with little left to do")
    func gathering() throws {
        let fixture = try fixture(files: 3_000)
        let store = fixture.store
        var costs: [Int64] = []
        var isMore = true
        while isMore {
            let before = store.databaseInstructions
            isMore = try store.prepareEpoch()
            costs.append(store.databaseInstructions - before)
        }
        #expect(costs.count > 10)
        #expect(try #require(costs.max()) < 100_000)
        let before = store.databaseInstructions
        _ = try store.beginEpoch()
        #expect(store.databaseInstructions - before < 1_000)
    }

    @Test("tells of all that has changed meanwhile", arguments: testSeeds(5))
    func changesMeanwhile(seed: UInt64) throws {
        let entropy = SeededEntropy(seed: seed)
        let fixture = try fixture(files: 200)
        var contents = Dictionary(
            uniqueKeysWithValues: (0..<200).map { ("f\($0)", [UInt8](repeating: UInt8($0 & 255), count: 5)) })
        while try fixture.store.prepareEpoch(20) {
            for _ in 0..<15 {
                let name = "f\(entropy.number(below: 220))"
                let known = try fixture.store.lookup(.root, Name(name)!)?.number
                switch entropy.number(below: 4) {
                case 0:
                    guard let known else { continue }
                    let node = try fixture.store.unlink(.root, Name(name)!, now: fixture.now)
                    #expect(node.number == known)
                    try fixture.store.removeOrphan(known)
                    contents[name] = nil
                case 1:
                    guard known != nil else { continue }
                    let moved = "m\(entropy.next())"
                    try fixture.store.rename(
                        from: .root, Name(name)!, to: .root, Name(moved)!, mode: .replace, now: fixture.now)
                    contents[moved] = contents.removeValue(forKey: name)
                case 2:
                    guard let known else { continue }
                    try fixture.store.truncate(known, to: 2, now: fixture.now)
                    contents[name] = Array(contents[name]!.prefix(2))
                default:
                    let number = try known ?? fixture.file(name)
                    let bytes = entropy.bytes(1 + entropy.number(below: 5_000))
                    try fixture.write(bytes, to: number, at: 0)
                    contents[name] = bytes + (contents[name] ?? []).dropFirst(bytes.count)
                }
            }
        }
        try fixture.epoch()
        let saved = try saved(of: fixture)
        #expect(saved == contents, "seed \(seed)")
    }

    /// What a copy of the store without its database saves.
    private func saved(of fixture: StoreFixture) throws -> [String: [UInt8]] {
        fixture.close()
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: fixture.path + "/state.db" + suffix)
        }
        let rescue = try StoreRescue.run(in: fixture.path, now: fixture.now)
        #expect(rescue.isComplete && rescue.losses.isEmpty)
        var saved: [String: [UInt8]] = [:]
        for file in rescue.files {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: (rescue.directory ?? "") + "/" + file.savedAs))
            #expect(file.isWhole && file.isIntact)
            saved[file.path.map(\.display).joined(separator: "/")] = [UInt8](bytes)
        }
        return saved
    }
}
