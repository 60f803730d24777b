import DbxContent
import DbxModel
import DbxTestKit
import DbxWire
import Testing

@Suite("Changes of segment rows", .timeLimit(.minutes(1)))
struct SegmentChangeTests {
    private static let index: Int64 = 3
    private static let range = ContentLimits.segmentRange(index)

    @Test("give the new row, however they are said")
    func anyRows() throws {
        let random = SeededEntropy(seed: testSeed)
        var edits = 0
        for _ in 0..<2_000 {
            var row = ExtentList()
            for _ in 0..<random.below(40) { change(&row, random) }
            let old = row.extents
            for _ in 0..<1 + random.below(4) { change(&row, random) }
            let change = SegmentChange(index: Self.index, from: old, to: row.extents)
            if change.base != nil { edits += 1 }
            #expect(try change.row(from: old) == row.extents, "seed \(testSeed)")
            let sent = try WireJSON.decode(SegmentChange.self, from: WireJSON.encode(change))
            #expect(sent == change, "seed \(testSeed)")
        }
        #expect(edits > 500, "the property must meet edits: seed \(testSeed)")
    }

    @Test("are refused over another row than theirs")
    func otherRow() throws {
        let random = SeededEntropy(seed: 5)
        var row = ExtentList()
        for block in 0..<16 { row.replace(extent(block, random).range, with: [extent(block, random)]) }
        let old = row.extents
        row.punch(Self.range.lowerBound + 100..<Self.range.lowerBound + 300)
        let change = SegmentChange(index: Self.index, from: old, to: row.extents)
        #expect(change.base != nil)
        #expect(throws: ExtentError.otherBase(segment: Self.index)) { try change.row(from: row.extents) }
        #expect(throws: ExtentError.otherBase(segment: Self.index)) { try change.row(from: []) }
    }

    @Test("give the new row from content that stands elsewhere, in any order")
    func anyMoves() throws {
        let random = SeededEntropy(seed: testSeed &+ 1)
        var moves = 0
        for _ in 0..<1_000 {
            // Three segments of a file, of which parts go to other places of the one in the middle.
            var source = ExtentList()
            for segment in Self.index - 1...Self.index + 1 {
                for block in 0..<8 + random.below(30) { source.replace(of: segment, block, random) }
            }
            let old = random.below(2) == 0 ? source.segment(Self.index) : []
            var row = try ExtentList(validating: old)
            for _ in 0..<1 + random.below(3) {
                let length = Int64(1 + random.below(30 << 20))
                let from = Self.range.lowerBound - 32 << 20 + Int64(random.below(100 << 20))
                let to = Self.range.lowerBound + Int64(random.below(Int(ContentLimits.segmentBytes - length)))
                row.clone(from..<from + length, of: source, to: to)
            }
            if random.below(3) == 0 { change(&row, random) }
            let change = SegmentChange(index: Self.index, from: old, to: row.extents, source: source)
            if change.base?.moves != nil { moves += 1 }
            let sent = try WireJSON.decode(SegmentChange.self, from: WireJSON.encode(change))
            #expect(sent == change && change.base?.moves?.segments.count ?? 0 <= 3, "seed \(testSeed)")
            #expect(try sent.row(from: old, source: source) == row.extents, "seed \(testSeed)")
        }
        #expect(moves > 300, "the property must meet moves: \(moves), seed \(testSeed)")
    }

    @Test("of a line put before 64 blocks are one move, and are held to their result")
    func insertion() throws {
        let random = SeededEntropy(seed: 8)
        var source = ExtentList()
        for segment in Self.index - 1...Self.index {
            for block in 0..<64 { source.replace(of: segment, block, random, isWhole: true) }
        }
        var row = ExtentList()
        row.clone(Self.range.lowerBound - 17..<Self.range.upperBound - 17, of: source, to: Self.range.lowerBound)
        let old = source.segment(Self.index)
        let change = SegmentChange(index: Self.index, from: old, to: row.extents, source: source)
        #expect(change.extents.isEmpty && change.base?.moves?.ranges.count == 1)
        #expect(try change.row(from: old, source: source) == row.extents)
        source.punch(Self.range.lowerBound - 10..<Self.range.lowerBound)
        #expect(throws: ExtentError.otherBase(segment: Self.index)) { try change.row(from: old, source: source) }
        #expect(throws: ExtentError.otherBase(segment: Self.index)) { try change.row(from: old) }
    }

    @Test("of one page among 64 blocks name that page alone")
    func smallEdit() throws {
        let random = SeededEntropy(seed: 6)
        var row = ExtentList()
        for block in 0..<64 { row.replace(extent(block, random).range, with: [extent(block, random)]) }
        let old = row.extents
        let start = Self.range.lowerBound + 5 << 20 + 8_192
        let page = Extent(offset: start, length: 4_096, block: id(random), blockOffset: 0)
        row.replace(page.range, with: [page])
        let change = SegmentChange(index: Self.index, from: old, to: row.extents)
        #expect(change.extents == [page])
        #expect(change.base?.holes.isEmpty == true)
    }

    private func change(_ row: inout ExtentList, _ random: SeededEntropy) {
        let start = Self.range.lowerBound + Int64(random.below(Int(Self.range.count) - 1))
        let length = Int64(1 + random.below(min(4 << 20, Int(Self.range.upperBound - start))))
        if random.below(4) == 0 { return row.punch(start..<start + length) }
        let extent = Extent(
            offset: start, length: length, block: id(random),
            blockOffset: Int64(random.below(Int(ContentLimits.maximumBlockBytes - length) + 1)))
        row.replace(extent.range, with: [extent])
    }

    private func extent(_ block: Int, _ random: SeededEntropy) -> Extent {
        Extent(
            offset: Self.range.lowerBound + Int64(block) << 20, length: 1 << 20, block: id(random), blockOffset: 0)
    }

    private func id(_ random: SeededEntropy) -> BlockID { BlockID(bytes: random.noise(32))! }
}

extension ExtentList {
    /// A new block of up to 1 MiB at the `block`th MiB of a segment.
    fileprivate mutating func replace(of segment: Int64, _ block: Int, _ random: SeededEntropy, isWhole: Bool = false) {
        let extent = Extent(
            offset: ContentLimits.segmentRange(segment).lowerBound + Int64(block) << 20,
            length: Int64(!isWhole && random.below(4) == 0 ? 1 + random.below(1 << 20) : 1 << 20),
            block: BlockID(bytes: random.noise(32))!, blockOffset: 0)
        replace(extent.range, with: [extent])
    }
}
