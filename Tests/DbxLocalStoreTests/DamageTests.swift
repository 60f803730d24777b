import DbxLocalStore
import DbxModel
import DbxSystem
import DbxTestKit
import Foundation
import Testing

@Suite("A local store with damaged files")
struct DamageTests {
    /// Flips one byte of what lies at the beginning of the file.
    private func rot(_ fixture: StoreFixture, _ file: InodeNumber) throws {
        let extent = try #require(try fixture.store.content(file, 0..<1).first)
        guard case .staging(let place, _) = extent.source else { throw Errno.ioError }
        let byte = try fixture.store.segments.read(count: 1, at: place)
        try fixture.store.segments.write([byte[0] ^ 1], at: place)
    }

    private func isSound(_ fixture: StoreFixture, _ file: InodeNumber) throws -> Bool {
        let segments = fixture.store.segments
        return try fixture.store.content(file, 0..<100_000).allSatisfy { extent in
            guard case .staging(let place, _) = extent.source else { return true }
            do throws(Errno) {
                try segments.sums.check(place, extent.length, in: segments)
                return true
            } catch {
                return false
            }
        }
    }

    @Test("notices unsent bytes that have changed on the disk, before and after a restart, and no others")
    func bitRot() throws {
        let fixture = try StoreFixture()
        let files = try ["good", "bad", "later"].map(fixture.file)
        for file in files { try fixture.write([UInt8](repeating: 1, count: 10_001), to: file, at: 0) }
        try fixture.epoch()
        try rot(fixture, files[1])
        for round in 0..<3 {
            #expect(try files.map { try isSound(fixture, $0) } == [true, false, true], "round \(round)")
            let problems = try fixture.store.check(repairs: false)
            #expect(problems.map(\.kind) == [.staging])
            // Appended to in the page that has a sum.
            try fixture.write([UInt8(round)], to: files[2], at: 10_001 + Int64(round))
            if round > 0 { try fixture.epoch() }
            try fixture.reopen()
            let segments = fixture.store.segments
            guard case .staging(let place, _) = try fixture.store.content(files[0], 0..<1)[0].source else { return }
            #expect(segments.sums.doubtfulPages(place, 1).count == 1)
        }
        let rescue = try rescued(fixture)
        #expect(rescue.files.map(\.isIntact) == [true, false, true] && rescue.losses.count == 1)
    }

    @Test("calls nothing damaged for what the log tells of a future that was lost with the power")
    func lostFuture() throws {
        let fixture = try StoreFixture()
        let first = try fixture.file("first")
        try fixture.write([UInt8](repeating: 1, count: 5_000), to: first, at: 0)
        try fixture.epoch()
        // Copies and uploads end epochs too, so that numbers come again after a power cut.
        for _ in 0..<3 { try fixture.store.clone(from: first, 0..<1, to: first, at: 9_000, now: fixture.now) }
        let lost = try fixture.file("lost")
        try fixture.write([UInt8](repeating: 2, count: 5_000), to: lost, at: 0)
        let place = try fixture.store.content(lost, 0..<5_000)[0].source
        // All has come to the disk but the record that says so.
        for part in try fixture.store.beginEpoch().parts(fixture.store.segments) { try part.sync() }
        try fixture.restartMachine()
        #expect(try fixture.store.lookup(.root, Name("lost")!) == nil)
        let second = try fixture.file("second")
        try fixture.write([UInt8](repeating: 3, count: 5_000), to: second, at: 0)
        guard case .staging(let location, _) = try fixture.store.content(second, 0..<5_000)[0].source,
            case .staging(location, _) = place
        else { throw Errno.ioError }
        // Killed before its first epoch.
        try fixture.reopen()
        #expect(try isSound(fixture, first) && isSound(fixture, second))
        #expect(try fixture.store.check(repairs: false).isEmpty)
    }

    @Test("knows the whole path of what it saves, whatever was named before the first epoch or moved since")
    func paths() throws {
        let fixture = try StoreFixture()
        func directory(_ name: String, in parent: InodeNumber) throws -> InodeNumber {
            let new = NewNode(kind: .directory, mode: 0o755)
            return try fixture.store.create(new, in: parent, Name(name)!, now: fixture.now).number
        }
        let old = try directory("old", in: .root)
        let target = try directory("target", in: directory("above", in: .root))
        let inner = try directory("inner", in: old)
        try fixture.epoch()
        for name in ["a", "b"] {
            let file = try fixture.store.create(
                NewNode(kind: .file, mode: 0o640), in: inner, Name(name)!, now: fixture.now)
            try fixture.write([1], to: file.number, at: 0)
            try fixture.epoch()
        }
        _ = try fixture.store.rename(
            from: old, Name("inner")!, to: target, Name("moved")!, mode: .replace, now: fixture.now)
        try fixture.epoch()
        let files = try rescued(fixture).files
        #expect(files.map(\.savedAs) == ["above/target/moved/a", "above/target/moved/b"])
        #expect(files.allSatisfy { $0.identity?.mode == 0o640 && $0.isIntact })
    }

    private func rescued(_ fixture: StoreFixture) throws -> StoreRescue {
        fixture.close()
        try FileManager.default.removeItem(atPath: fixture.path + "/state.db")
        return try StoreRescue.run(in: fixture.path, now: fixture.now)
    }

    @Test("takes bytes that a thread was replacing in place when the epoch began for undamaged")
    func writeUnderWay() throws {
        let fixture = try StoreFixture()
        let file = try fixture.file("f")
        try fixture.write([UInt8](repeating: 1, count: 9_000), to: file, at: 0)
        let range = try fixture.store.reserveStaging(file, offset: 100, length: 5_000)
        try fixture.epoch()
        // Too late to be part of the epoch, and there all the same; it is written again elsewhere.
        try fixture.store.segments.write([UInt8](repeating: 2, count: 5_000), at: range.location)
        #expect(
            try !fixture.store.recordWrite(file, offset: 100, length: 5_000, range: range, now: fixture.now))
        fixture.store.abandon(range)
        try fixture.write([UInt8](repeating: 2, count: 5_000), to: file, at: 100)
        try fixture.epoch()
        #expect(try isSound(fixture, file))
        try fixture.reopen()
        #expect(try isSound(fixture, file))
        #expect(try fixture.store.check(repairs: false) == [])
    }

    @Test("takes unsent bytes whose segment is gone or cut off for damaged, never for zeros", arguments: [true, false])
    func lostSegment(isGone: Bool) throws {
        let fixture = try StoreFixture()
        let file = try fixture.file("f")
        try fixture.write([UInt8](repeating: 1, count: 9_000), to: file, at: 0)
        fixture.close()
        let segment = fixture.path + "/segments/1.seg"
        if isGone {
            try FileManager.default.removeItem(atPath: segment)
        } else {
            try Data().write(to: URL(filePath: segment))
        }
        try fixture.reopen()
        #expect(try !isSound(fixture, file))
        #expect(fixture.store.restoredSegments == [1])
        try fixture.write([UInt8](repeating: 3, count: 9_000), to: file, at: 0)
        try fixture.epoch()
        #expect(try isSound(fixture, file))
    }

    /// Any file of the store, in any combination: cut, garbled in one place or all over, emptied, gone.
    @Test("works or says what is wrong, and gives no wrong byte for a right one", arguments: testSeeds(16))
    func anyDamage(seed: UInt64) throws {
        let entropy = SeededEntropy(seed: seed)
        let fixture = try StoreFixture()
        /// All that a file ever held at an epoch, and what it held at the last one.
        var history: [String: Set<[UInt8]>] = [:]
        var last: [String: [UInt8]] = [:]
        for _ in 0..<(2 + entropy.number(below: 6)) {
            for _ in 0..<6 {
                let name = "f\(entropy.number(below: 8))"
                let file = try fixture.store.lookup(.root, Name(name)!)?.number ?? fixture.file(name)
                let offset = entropy.number(below: 20_000)
                try fixture.write(entropy.bytes(1 + entropy.number(below: 20_000)), to: file, at: Int64(offset))
                last[name] = try fixture.read(file)
            }
            try fixture.epoch()
            for (name, bytes) in last { history[name, default: []].insert(bytes) }
            if entropy.chance(30) { try fixture.reopen() }
        }
        fixture.close()
        let damaged = try damage(fixture.path, entropy)
        let problem: String
        do {
            try fixture.reopen()
            problem = try opened(fixture, history)
        } catch let error as StoreError {
            guard case .corrupt = error else { throw error }
            problem = try rescued(fixture.path, history, last, fixture.now)
            try fixture.reopen()
        }
        #expect(problem == "", "seed \(seed), damaged \(damaged)")
    }

    private func damage(_ directory: String, _ entropy: SeededEntropy) throws -> [String] {
        let names = ["state.db", "state.db-wal", "state.log", "state.epoch", "segments/staging.log", "segments/1.seg"]
        var damaged: [String] = []
        for name in names where entropy.chance(35) {
            let url = URL(filePath: "\(directory)/\(name)")
            guard var data = try? Data(contentsOf: url), !data.isEmpty else { continue }
            let place = entropy.number(below: name.hasSuffix(".seg") ? 400_000 : data.count)
            let kind = entropy.number(below: 5)
            damaged.append("\(name) \(kind) at \(place)")
            switch kind {
            case 0: data = data.prefix(place)
            case 1: data = Data()
            case 2: data.replaceSubrange(place..<min(place + 64, data.count), with: entropy.bytes(64))
            case 3: data = Data(entropy.bytes(data.count > 1 << 20 ? 1 << 20 : data.count))
            default:
                try FileManager.default.removeItem(at: url)
                continue
            }
            try data.write(to: url)
        }
        return damaged
    }

    /// The store takes its files for whole: then each file is what it was once, or known to be damaged.
    private func opened(_ fixture: StoreFixture, _ history: [String: Set<[UInt8]>]) throws -> String {
        do {
            for name in history.keys.sorted() {
                guard let node = try fixture.store.lookup(.root, Name(name)!) else { return "\(name) is gone" }
                if try isSound(fixture, node.number), try history[name]?.contains(fixture.read(node.number)) != true {
                    return "\(name) is what it never was"
                }
            }
            try fixture.epoch()
        } catch StoreError.corrupt {
            // SQLite met a damaged page: programs get an error, and the next start looks at all of it.
            return fixture.store.isDamaged ? "" : "the damage is not noted"
        }
        return ""
    }

    /// What was saved is what was written; what was not saved is named.
    private func rescued(
        _ directory: String, _ history: [String: Set<[UInt8]>], _ last: [String: [UInt8]], _ now: Timestamp
    ) throws -> String {
        let rescue = try StoreRescue.run(in: directory, now: now)
        var saved: [String: [UInt8]] = [:]
        for file in rescue.files where file.isIntact {
            let path = (rescue.directory ?? "") + "/" + file.savedAs
            let bytes = Array(try Data(contentsOf: URL(filePath: path)))
            let name = file.path.map(\.display).joined(separator: "/")
            if file.isWhole, history[name]?.contains(bytes) != true { return "\(name) was saved as it never was" }
            saved[name] = bytes
        }
        let missing = last.keys.filter { saved[$0] != last[$0] }
        let isTold = !rescue.losses.isEmpty || rescue.files.contains { !$0.isIntact }
        return missing.isEmpty || isTold ? "" : "\(missing) are lost without a word"
    }
}
