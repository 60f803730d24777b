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
