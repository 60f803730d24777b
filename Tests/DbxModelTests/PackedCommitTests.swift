import DbxModel
import DbxTestKit
import DbxWire
import Testing

@Suite("A packed commit")
struct PackedCommitTests {
    @Test("holds what the commit holds, and is told from JSON", arguments: testSeeds(100))
    func roundTrip(seed: UInt64) throws {
        let commit = SeededEntropy(seed: seed).someCommitRequest()
        let packed = PackedCommit.encode(commit)
        #expect(try PackedCommit.decode(packed) == commit)
        #expect(try CommitRequest(body: packed) == commit)
        #expect(try CommitRequest(body: WireJSON.encode(commit)) == commit)
        var other = commit
        other.cursor = "another"
        let spliced = PackedCommit.body(PackedCommit.encodeWithoutCursor(commit), cursor: "another")
        #expect(try PackedCommit.decode(spliced) == other)
    }

    @Test("has a small part of the bytes that JSON has")
    func size() throws {
        var commit = SeededEntropy(seed: 7).someCommitRequest(rows: 1_000)
        for index in commit.blocks.indices { commit.blocks[index].body = nil }
        #expect(try PackedCommit.encode(commit).count * 2 < WireJSON.encode(commit).count)
    }

    @Test("that is cut off, goes on, or is damaged is refused or means something else, and never traps")
    func damage() throws {
        let entropy = SeededEntropy(seed: 3)
        for _ in 0..<10 {
            let packed = PackedCommit.encode(entropy.someCommitRequest())
            #expect(throws: MalformedPacking.self) { try PackedCommit.decode(packed + [0]) }
            for count in stride(from: 0, to: packed.count, by: 5) {
                #expect(throws: MalformedPacking.self) { try PackedCommit.decode(Array(packed[..<count])) }
            }
            for _ in 0..<200 {
                var damaged = packed
                damaged[entropy.number(below: damaged.count)] = UInt8(truncatingIfNeeded: entropy.next())
                _ = try? PackedCommit.decode(damaged)
            }
        }
        // Few bytes that would be many rows, or many extents.
        let id = [UInt8](repeating: 0, count: 16)
        let times = [0, 0, 0xA0, 0x8D, 0x06] + [UInt8](repeating: 0, count: 1_000_001)
        #expect(throws: MalformedPacking.self) { try PackedCommit.decode([0] + id + [1] + id + [0] + times) }
        let node = id + [0, 2, 0, 0, 0, 0, 0, 1, 0, 0x81, 0x89, 0x7A]
        let extents = [UInt8](repeating: 0, count: 4 * 2_000_001 + 4)
        let block = [UInt8](repeating: 0, count: 32)
        #expect(throws: MalformedPacking.self) {
            try PackedCommit.decode([0] + id + [0, 1] + block + [1] + node + extents)
        }
        for byte in [0, 1, 0xFF] as [UInt8] {
            #expect(throws: MalformedPacking.self) { try PackedCommit.decode([UInt8](repeating: byte, count: 400)) }
        }
    }
}

extension SeededEntropy {
    private func someNumber() -> Int64 { Int64(bitPattern: next()) >> Int64(number(below: 64)) }

    /// A commit of any changes, good or bad ones.
    fileprivate func someCommitRequest(rows: Int? = nil) -> CommitRequest {
        var commit = CommitRequest(id: CommitID(from: self), cursor: chance(50) ? nil : "a cursor")
        let blocks = (0..<4).map { _ in someBlock() }
        for _ in 0..<(rows ?? number(below: 20)) { commit.nodes.append(someChange(blocks)) }
        let parents = (0..<3).map { _ in NodeID(from: self) }
        for index in 0..<(rows ?? number(below: 20)) {
            let node = commit.nodes.isEmpty || chance(20) ? NodeID(from: self) : element(of: commit.nodes).id
            commit.entries.append(
                EntryChange(
                    parent: element(of: parents), name: Name(Array("entry\(index)".utf8) + (chance(20) ? [0xFF] : []))!,
                    base: Seq(someNumber()), node: chance(20) ? nil : node,
                    lastContent: chance(20) ? Seq(someNumber()) : nil, hasOtherName: chance(20)))
        }
        for parent in parents {
            commit.directoryTimes.append(DirectoryTime(node: parent, mtime: someTime(), explicit: chance(50)))
        }
        for block in blocks {
            let wrap = someWrap(against: chance(50) ? nil : someBlock())
            commit.blocks.append(
                CommittedBlock(id: block, wrap: wrap, body: chance(50) ? nil : Base64(someBytes(below: 500))))
        }
        return commit
    }

    private func someChange(_ blocks: [BlockID]) -> NodeChange {
        var change = NodeChange(id: NodeID(from: self), kind: element(of: NodeKind.allCases))
        if chance(70) {
            let target = chance(20) ? Base64(someBytes(below: 100)) : nil
            change.attributes = AttributesChange(base: Seq(someNumber()), state: someAttributes(), target: target)
        }
        guard chance(70) else { return change }
        change.content = ContentChange(
            base: Seq(someNumber()), size: someNumber(), mtime: someTime(), ctime: someTime(),
            contentHash: chance(50) ? Base64(someBytes(below: 33)) : nil,
            segments: (0..<number(below: 3)).map { _ in someSegment(blocks) })
        return change
    }

    private func someSegment(_ blocks: [BlockID]) -> SegmentChange {
        let extents = (0..<number(below: 3)).map { _ in
            Extent(offset: someNumber(), length: someNumber(), block: element(of: blocks), blockOffset: someNumber())
        }
        var segment = SegmentChange(index: someNumber(), extents: extents)
        guard chance(40) else { return segment }
        var base = SegmentBase(digest: Base64(someBytes(below: 9)), holes: [])
        if chance(50) { base.holes = [FileRange(offset: someNumber(), length: someNumber())] }
        if chance(50) {
            let range = MovedRange(offset: someNumber(), length: someNumber(), from: someNumber())
            base.moves = SegmentMoves(node: chance(50) ? nil : NodeID(from: self), ranges: [range, range])
        }
        segment.base = base
        return segment
    }
}
