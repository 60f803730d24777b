import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import Foundation
import Testing

@Suite("A local store whose process was killed or whose operations failed")
struct RecoveryTests {
    struct Refused: Error {}

    @Test(
        "has exactly the operations that ended, in any mix of failed ones, commits and kills", arguments: testSeeds(8))
    func failedOperations(seed: UInt64) throws {
        let entropy = SeededEntropy(seed: seed)
        let fixture = try StoreFixture()
        var names: Set<String> = []
        for step in 0..<300 {
            let name = "f\(entropy.number(below: 40))"
            switch entropy.number(below: 10) {
            case 0...3 where !names.contains(name):
                _ = try fixture.file(name)
                names.insert(name)
            case 4...5 where names.contains(name):
                try fixture.store.unlink(.root, Name(name)!, now: fixture.now)
                names.remove(name)
            case 6:
                #expect(throws: StoreError.self) {
                    try fixture.store.transaction {
                        for other in names.sorted().prefix(3) {
                            try fixture.store.unlink(.root, Name(other)!, now: fixture.now)
                        }
                        _ = try fixture.file("never")
                        throw Refused()
                    }
                }
            case 7: try fixture.epoch()
            case 8: if entropy.chance(30) { try fixture.reopen() }
            default: break
            }
            let listed = try fixture.store.list(.root, after: 0, limit: .max).map(\.name.display)
            try #require(Set(listed) == names && listed.count == names.count, "seed \(seed), step \(step)")
        }
    }

    @Test(
        "is exactly as at its last epoch after the machine went down, and as it was when only the process did",
        arguments: testSeeds(12))
    func machineGoesDown(seed: UInt64) throws {
        let entropy = SeededEntropy(seed: seed)
        let fixture = try StoreFixture()
        var files: [String: [UInt8]] = [:]
        var durable = files
        try fixture.epoch()
        for step in 0..<250 {
            let name = "f\(entropy.number(below: 12))"
            switch entropy.number(below: 20) {
            case 0...9:
                let file = try fixture.store.lookup(.root, Name(name)!)?.number ?? fixture.file(name)
                var bytes = files[name] ?? []
                let offset = entropy.chance(50) ? bytes.count : entropy.number(below: bytes.count + 1)
                let new = entropy.bytes(1 + entropy.number(below: 9_000))
                try fixture.write(new, to: file, at: Int64(offset))
                bytes.replaceSubrange(offset..<min(bytes.count, offset + new.count), with: new)
                files[name] = bytes
            case 10...11 where files[name] != nil:
                let file = try fixture.store.unlink(.root, Name(name)!, now: fixture.now).number
                try fixture.store.removeOrphan(file)
                files[name] = nil
            case 12...13 where files[name] != nil:
                let file = try #require(try fixture.store.lookup(.root, Name(name)!)).number
                if let snapshot = try fixture.store.beginUpload(file) { fixture.store.endUpload(snapshot) }
            case 14...16:
                try fixture.epoch()
                durable = files
            case 17:
                // An epoch that begins and never ends.
                let ticket = try fixture.store.beginEpoch()
                if entropy.chance(50) { fixture.store.failEpoch(ticket) }
            case 18: try fixture.reopen()
            default:
                try fixture.restartMachine()
                files = durable
            }
            let listed = try fixture.store.list(.root, after: 0, limit: .max)
            try #require(Set(listed.map(\.name.display)) == Set(files.keys), "seed \(seed), step \(step)")
            for entry in listed {
                try #require(try fixture.read(entry.number) == files[entry.name.display], "seed \(seed), step \(step)")
            }
        }
    }

    @Test("takes up to its last whole record when the log ends in the middle of one", arguments: [1, 7, 40, 200])
    func tornRecord(missing: Int) throws {
        let fixture = try StoreFixture()
        for index in 0..<20 { _ = try fixture.file("f\(index)") }
        fixture.close()
        let log = fixture.path + "/state.log"
        let whole = try Data(contentsOf: URL(filePath: log))
        try whole.dropLast(missing).write(to: URL(filePath: log))
        try fixture.reopen()
        let names = try fixture.store.list(.root, after: 0, limit: .max).map(\.name.display)
        #expect(names == (0..<19).map { "f\($0)" })
        // What follows does not read on into what the torn record left behind.
        _ = try fixture.file("later")
        try fixture.reopen()
        #expect(try fixture.store.list(.root, after: 0, limit: .max).map(\.name.display) == names + ["later"])
    }

    @Test("ignores a log whose beginning belongs to a state that the disk lost")
    func lostBeginning() throws {
        let fixture = try StoreFixture()
        try fixture.epoch()
        let directory = fixture.path
        fixture.close()
        let database = try Data(contentsOf: URL(filePath: directory + "/state.db"))
        let log = try? Data(contentsOf: URL(filePath: directory + "/state.db-wal"))
        let record = try Data(contentsOf: URL(filePath: directory + "/state.epoch"))
        try fixture.reopen()
        for index in 0..<5 { _ = try fixture.file("lost\(index)") }
        try fixture.epoch()
        for index in 0..<5 { _ = try fixture.file("unsynced\(index)") }
        fixture.close()
        try database.write(to: URL(filePath: directory + "/state.db"))
        try (log ?? Data()).write(to: URL(filePath: directory + "/state.db-wal"))
        // The record of the lost epoch says that this is damage, not a power cut.
        #expect(throws: StoreError.self) { try fixture.reopen() }
        try record.write(to: URL(filePath: directory + "/state.epoch"))
        try fixture.reopen()
        #expect(try fixture.store.list(.root, after: 0, limit: .max).isEmpty)
    }

    @Test("brings large operations back as well as small ones")
    func largeOperation() throws {
        let fixture = try StoreFixture()
        _ = try fixture.file("before")
        try fixture.store.transaction {
            for page in 0..<6 { try fixture.store.stagePage([UInt8](repeating: UInt8(page), count: 1 << 20)) }
        }
        _ = try fixture.file("after")
        try fixture.reopen()
        var pages = 0
        try fixture.store.forEachStagedPage { pages += $0.count }
        #expect(pages == 6 << 20)
        #expect(try fixture.store.lookup(.root, Name("after")!) != nil)
    }

    @Test("never writes in place what two files share, also after a restart")
    func sharedAfterRestart() throws {
        for seals in 1..<6 {
            let fixture = try StoreFixture()
            let a = try fixture.file("a")
            let b = try fixture.file("b")
            for _ in 0..<seals {
                // Each snapshot ends an epoch that no row of the database tells of.
                try fixture.write(Array("x".utf8), to: a, at: 0)
                if let snapshot = try fixture.store.beginUpload(a) { fixture.store.endUpload(snapshot) }
            }
            try fixture.write(Array("shared".utf8), to: a, at: 0)
            try fixture.store.clone(from: a, 0..<6, to: b, at: 0, now: fixture.now)
            try fixture.reopen()
            for round in 0..<8 {
                try fixture.write(Array("\(round)".utf8), to: a, at: 0)
                #expect(try fixture.read(b) == Array("shared".utf8), "after \(seals) snapshots, write \(round)")
                if let snapshot = try fixture.store.beginUpload(a) { fixture.store.endUpload(snapshot) }
            }
        }
    }

    @Test("has commits that were saved one behind the other in that order")
    func commitsInOrder() throws {
        let fixture = try StoreFixture()
        let ids = [9, 3, 7, 1].map { CommitID(high: $0, low: 0) }
        for (place, id) in ids.enumerated() {
            try fixture.store.saveCommit(LocalStore.InFlightCommit(id: id, body: [UInt8(place)], covered: []))
            if place == 1 { try fixture.reopen() }
        }
        for id in ids {
            #expect(try fixture.store.commitInFlight()?.id == id)
            try fixture.store.removeCommit(id)
            try fixture.reopen()
        }
        #expect(try fixture.store.commitInFlight() == nil)
    }

    @Test("keeps what was written while a commit was on its way, also where it lies at the place of what was sent")
    func answeredAfterRestart() throws {
        let fixture = try StoreFixture()
        let file = try fixture.file("f")
        try fixture.write(Array("sent".utf8), to: file, at: 0)
        let snapshot = try #require(try fixture.store.beginUpload(file))
        fixture.store.endUpload(snapshot)
        try fixture.store.saveCommit(LocalStore.InFlightCommit(id: CommitID(high: 1, low: 1), body: [1], covered: [1]))
        let block = try #require(BlockID(bytes: [UInt8](repeating: 7, count: 32)))
        try fixture.store.putBlocks([
            AgreedBlock(id: block, wrap: [1], key: KeyID(high: 1, low: 1), plainBytes: 4, storedBytes: 4)
        ])
        guard case .staging(let sent, _) = snapshot.extents[0].source else { return #expect(Bool(false)) }
        var isAtOldPlace = false
        for round in 0..<200 where !isAtOldPlace {
            try fixture.store.truncate(file, to: 0, now: fixture.now)
            try fixture.store.releaseReservation(file)
            try fixture.epoch()
            if round % 3 == 0 {
                try fixture.reopen()
                try fixture.epoch()
            }
            try fixture.write(Array("new!".utf8), to: file, at: 0)
            if case .staging(let place, _) = try fixture.store.content(file, 0..<4)[0].source {
                isAtOldPlace = place == sent
            }
        }
        #expect(isAtOldPlace)
        try fixture.store.settle(
            snapshot, as: [(0, [Extent(offset: 0, length: 4, block: block, blockOffset: 0)])])
        #expect(try fixture.read(file) == Array("new!".utf8))
    }

    @Test("gives back what failed writes held")
    func failedWrites() throws {
        let fixture = try StoreFixture()
        // Sixty times 4 MiB, of which a segment holds sixteen.
        for round in 0..<60 {
            let file = try fixture.file("f")
            let range = try fixture.store.reserveStaging(file, offset: 0, length: 4 << 20)
            try fixture.store.unlink(.root, Name("f")!, now: fixture.now)
            try fixture.store.removeOrphan(file)
            #expect(throws: StoreError.notFound) {
                _ = try fixture.store.recordWrite(file, offset: 0, length: 4 << 20, range: range, now: fixture.now)
            }
            fixture.store.abandon(range)
            if round % 10 == 9 { try fixture.epoch() }
        }
        let segments = try FileManager.default.contentsOfDirectory(atPath: fixture.path + "/segments")
        #expect(segments.count { $0.hasSuffix(".seg") } <= 2)
    }

    @Test("goes on after any number of failed operations between two epochs")
    func manyFailures() throws {
        let fixture = try StoreFixture()
        let kept = try fixture.file("kept")
        for _ in 0..<9_000 {
            #expect(throws: StoreError.self) {
                try fixture.store.transaction {
                    _ = try fixture.file("never")
                    try fixture.store.setMeta("a", [1])
                    try fixture.store.stagePage([1])
                    try fixture.store.clearStaged()
                    try fixture.store.setAccessTime(kept, fixture.now)
                    throw Refused()
                }
            }
        }
        _ = try fixture.file("after")
        try fixture.reopen()
        let names = try fixture.store.list(.root, after: 0, limit: .max).map(\.name.display)
        #expect(names == ["kept", "after"])
    }
}
