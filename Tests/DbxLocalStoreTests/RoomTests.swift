import DbxModel
import DbxSystem
import DbxTestKit
import Dispatch
import Foundation
import Testing

@testable import DbxLocalStore

@Suite struct RoomTests {
    @Test func `However many segments there are, few are open, and all can be read and written`() throws {
        let directory = TemporaryDirectory()
        let files = try SegmentFiles(directory: directory.path, openLimit: 4)
        for segment in Int32(1)...12 { try files.create(segment) }
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for round in 0..<60 {
                let segment = Int32(1 + (round * 5 + thread) % 12)
                let place = SegmentLocation(segment: segment, position: Int64(thread) * 4_096)
                let bytes = [UInt8](repeating: UInt8(segment), count: 4_096)
                try? files.write(bytes, at: place)
                #expect((try? files.read(count: 4_096, at: place)) == bytes)
                try? files.syncData(segment)
            }
        }
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + name)
            return target?.hasPrefix(directory.path) ?? false
        }
        #expect(open <= 4)
    }

    @Test func `What the disk has for staging counts where it is less than the limit`() throws {
        let (limit, working) = (Int64(1) << 30, SegmentFiles.segmentBytes)
        let bytes = [UInt8](repeating: 1, count: 40 << 20)
        for (floor, expected) in [
            (0, nil), (Int64.max / 2, StagingLoad(addedBytes: 40 << 20, usedBytes: 40 << 20, limitBytes: working)),
        ] {
            let fixture = try StoreFixture(stagingLimitBytes: limit, freeSpaceFloorBytes: floor)
            fixture.store.keepRoom()
            try fixture.write(bytes, to: fixture.file("f"), at: 0)
            #expect(fixture.store.stagingLoad(since: 0) == expected)
        }
    }

    /// A page of the model.
    private enum Page { case free, given, taken, pending }

    @Test(arguments: testSeeds(6))
    func `Room that was given back is taken only with new room for it, and counts are right`(
        seed: UInt64
    ) {
        let entropy = SeededEntropy(seed: seed)
        var space = SpaceMap()
        var pages: [Int32: [Page]] = [:]
        let perSegment = Int(SegmentFiles.segmentBytes / SpaceMap.pageBytes)
        var held: [SegmentRange] = []
        for segment in Int32(1)...2 {
            space.addSegment(segment)
            pages[segment] = Array(repeating: .free, count: perSegment)
        }
        func mark(_ range: SegmentRange, _ page: Page) {
            for index in range.pages { pages[range.segment]?[index] = page }
        }
        func take(_ count: Int, withoutRoom: Bool) {
            guard
                let place = space.allocate(Int64(count) * SpaceMap.pageBytes, withoutRoom: withoutRoom)
            else { return }
            let first = Int(place.position / SpaceMap.pageBytes)
            let range = SegmentRange(segment: place.segment, pages: first..<first + count)
            let allowed: [Page] = withoutRoom ? [.free, .given] : [.free]
            #expect(range.pages.allSatisfy { allowed.contains(pages[range.segment]![$0]) })
            mark(range, .taken)
            held.append(range)
        }
        for _ in 0..<300 {
            switch entropy.number(below: 6) {
            case 0...1: take(1 + entropy.number(below: 3_000), withoutRoom: false)
            case 2: take(1 + entropy.number(below: 3_000), withoutRoom: true)
            case 3:
                guard !held.isEmpty else { continue }
                let range = held.remove(at: entropy.number(below: held.count))
                space.release(range.location, range.length)
                mark(range, .pending)
            case 4:
                for (segment, page) in space.reuse(space.takeFreed()) { pages[segment]?[page] = .free }
            default:
                let ranges = space.takeIdle(Int64(entropy.number(below: 40 << 20)))
                for range in ranges {
                    #expect(range.pages.allSatisfy { pages[range.segment]![$0] == .free })
                    space.giveUp(range.location, range.length)
                    mark(range, .given)
                }
            }
            let all = pages.values.joined()
            let given = all.count { $0 == .given }
            #expect(space.heldBytes == Int64(2 * perSegment - given) * SpaceMap.pageBytes)
            #expect(space.idleBytes == Int64(all.count { $0 == .free || $0 == .pending }) * SpaceMap.pageBytes)
        }
    }

    @Test(arguments: testSeeds(20))
    func `Ranges in place of others count as if the new were taken, then the old released`(seed: UInt64) {
        let entropy = SeededEntropy(seed: seed)
        let pages = 60
        var (space, plain) = (SpaceMap(), SpaceMap())
        for segment in Int32(1)...2 {
            space.addSegment(segment)
            plain.addSegment(segment)
        }
        func ranges(_ most: Int) -> [SegmentRange] {
            (0..<entropy.number(below: most)).map { _ in
                let first = entropy.number(below: pages)
                let end = first + 1 + entropy.number(below: pages - first)
                return SegmentRange(segment: Int32(1 + entropy.number(below: 2)), pages: first..<end)
            }
        }
        var held: [SegmentRange] = []
        for _ in 0..<60 {
            let new = ranges(entropy.number(below: 10) == 0 ? 40 : 4)
            let left = held.partition { _ in entropy.number(below: 2) == 0 }
            let old = Array(held[left...])
            held.removeSubrange(left...)
            held += new
            space.exchange(old, for: new)
            for range in new { plain.retain(range.location, range.length) }
            for range in old { plain.release(range.location, range.length) }
            #expect(space.idleBytes == plain.idleBytes)
            for segment in Int32(1)...2 {
                for page in 0..<pages {
                    let place = SegmentLocation(segment: segment, position: Int64(page) * SpaceMap.pageBytes)
                    #expect(space.isTaken(place, 1) == plain.isTaken(place, 1))
                    #expect(space.isTaken(place, 1) == held.contains { $0.segment == segment && $0.pages ~= page })
                }
            }
        }
    }

    @Test func `A new store has the places of two epochs, and after each the room to tell all anew`() throws {
        let fixture = try StoreFixture()
        let segments = fixture.path + "/segments"
        #expect(try EpochRecord.isWhole(in: fixture.path))
        for _ in 0..<2 {
            try fixture.write([1, 2, 3], to: fixture.file("f\(fixture.store.statistics.epochs)"), at: 0)
            try fixture.epoch()
            var spare = stat()
            #expect(stat(StagingLog.sparePath(segments), &spare) == 0)
            #expect(spare.st_size == 0 && spare.st_blocks * 512 >= 2 << 20)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "mounts a small disk, so needs root"), .timeLimit(.minutes(2)))
    func `On a full disk removals become durable, also where SQLite's log outgrows a page of its index`() throws {
        let disk = TemporaryDirectory()
        try Shell.script("mount -t tmpfs -o size=160m none \(disk.path)")
        defer { _ = try? Shell.script("umount -l \(disk.path)") }
        let fixture = try StoreFixture(in: disk.path)
        var numbers: [InodeNumber] = []
        while fixture.store.logBytes < 12 << 20 {
            for _ in 0..<40 { numbers.append(try fixture.file("f\(numbers.count)")) }
            try fixture.epoch()
        }
        try fixture.epoch()
        _ = try Shell.run(["bash", "-c", "cat /dev/zero > \(disk.path)/other"])
        while fixture.store.logBytes < 17 << 20, !numbers.isEmpty {
            for _ in 0..<20 {
                guard let number = numbers.popLast() else { break }
                _ = try fixture.store.unlink(.root, Name("f\(numbers.count)")!, now: fixture.now)
                try fixture.store.removeOrphan(number)
            }
            try fixture.epoch()
        }
        #expect(fixture.store.logBytes >= 17 << 20)
    }

    @Test func `What is added at the end of a large range is all that is looked at`() {
        var old = [SegmentRange(segment: 1, pages: 0..<16_000)]
        var new = [SegmentRange(segment: 1, pages: 0..<16_001)]
        SegmentRange.dropCommon(&old, &new)
        #expect(old.isEmpty)
        #expect(new == [SegmentRange(segment: 1, pages: 16_000..<16_001)])
    }
}
