import DbxModel
import DbxTestKit
import Testing

@testable import DbxContent

/// Some blocks whose bytes are known, and a file kept both as extents and as bytes; nil is a hole.
private struct ModelFile {
    static let blocks = (0..<6).map { BlockID(ofStored: [$0]) }

    var list = ExtentList()
    var bytes: [UInt64?]
    /// Where in the file the model begins, so that it lies across a border.
    let origin: Int64

    static func byte(of block: BlockID, at offset: Int64) -> UInt64 {
        UInt64(blocks.firstIndex(of: block)!) << 32 | UInt64(offset)
    }

    init(origin: Int64, count: Int) {
        self.origin = origin
        bytes = Array(repeating: nil, count: count)
    }

    func shifted(_ range: Range<Int>) -> Range<Int64> {
        origin + Int64(range.lowerBound)..<origin + Int64(range.upperBound)
    }

    var described: [UInt64?] {
        var described = [UInt64?](repeating: nil, count: bytes.count)
        for extent in list.extents {
            for index in 0..<extent.length {
                described[Int(extent.offset - origin + index)] = Self.byte(
                    of: extent.block, at: extent.blockOffset + index)
            }
        }
        return described
    }
}

@Suite("Extent lists", .timeLimit(.minutes(1)))
struct ExtentListTests {
    @Test("do to a file what the same edits do to its bytes")
    func model() throws {
        let random = SeededEntropy(seed: testSeed)
        for _ in 0..<60 {
            var file = ModelFile(origin: ContentLimits.segmentBytes * 3 - 100, count: 200)
            for _ in 0..<40 {
                edit(&file, random)
                #expect(file.described == file.bytes, "seed \(testSeed)")
                try checkInvariant(file)
            }
            checkQueries(file, random)
        }
    }

    private func edit(_ file: inout ModelFile, _ random: SeededEntropy) {
        let range = randomRange(in: file, random)
        switch random.below(5) {
        case 0:
            file.list.punch(file.shifted(range))
            file.bytes.replaceSubrange(range, with: repeatElement(nil, count: range.count))
        case 1:
            file.list.truncate(to: file.origin + Int64(range.lowerBound))
            file.bytes.replaceSubrange(range.lowerBound..., with: repeatElement(nil, count: 200 - range.lowerBound))
        case 2:
            let target = random.below(file.bytes.count - range.count + 1)
            file.list.clone(file.shifted(range), of: file.list, to: file.origin + Int64(target))
            file.bytes.replaceSubrange(target..<target + range.count, with: file.bytes[range])
        default: write(range, to: &file, random)
        }
    }

    /// One to three extents with gaps, often going on in the block of the one before.
    private func write(_ range: Range<Int>, to file: inout ModelFile, _ random: SeededEntropy) {
        var extents: [Extent] = []
        var content = [UInt64?](repeating: nil, count: range.count)
        var position = 0
        for _ in 0..<3 where position < range.count {
            let start = position + random.below(2) * random.below(range.count - position)
            let length = 1 + random.below(range.count - start)
            let block = ModelFile.blocks[random.below(2)]
            let blockOffset = Int64(range.lowerBound + start + 1000 * random.below(2))
            extents.append(
                Extent(
                    offset: file.origin + Int64(range.lowerBound + start), length: Int64(length), block: block,
                    blockOffset: blockOffset))
            for index in 0..<length {
                content[start + index] = ModelFile.byte(of: block, at: blockOffset + Int64(index))
            }
            position = start + length
        }
        file.list.replace(file.shifted(range), with: extents)
        file.bytes.replaceSubrange(range, with: content)
    }

    private func checkInvariant(_ file: ModelFile) throws {
        let extents = file.list.extents
        #expect(try ExtentList(validating: extents) == file.list, "seed \(testSeed)")
        for (a, b) in zip(extents, extents.dropFirst()) { #expect(!a.continues(in: b), "seed \(testSeed)") }
        #expect(file.list.allocatedBytes == Int64(file.bytes.filter { $0 != nil }.count))
        for index: Int64 in 2...3 {
            let segment = file.list.segment(index)
            try ExtentValidation.checkSegment(segment, index: index)
            #expect(try SegmentCodec.decode(SegmentCodec.encode(segment, index: index), index: index) == segment)
        }
        #expect(file.list.segment(2) + file.list.segment(3) == extents)
    }

    private func checkQueries(_ file: ModelFile, _ random: SeededEntropy) {
        let range = randomRange(in: file, random)
        var covered = [Bool](repeating: false, count: file.bytes.count)
        for hole in file.list.holes(in: file.shifted(range)) {
            for index in hole { covered[Int(index - file.origin)] = true }
        }
        for index in range { #expect(covered[index] == (file.bytes[index] == nil), "seed \(testSeed)") }
        var part = ModelFile(origin: file.origin, count: file.bytes.count)
        part.list.replace(file.shifted(range), with: file.list.slices(of: file.shifted(range)))
        #expect(Array(part.described[range]) == Array(file.bytes[range]), "seed \(testSeed)")
    }

    private func randomRange(in file: ModelFile, _ random: SeededEntropy) -> Range<Int> {
        let start = random.below(file.bytes.count)
        return start..<start + random.below(file.bytes.count - start + 1)
    }
}

@Suite("Extents from outside")
struct ExtentValidationTests {
    private static let block = BlockID(ofStored: [1])
    private static let border = ContentLimits.segmentBytes

    private static func extent(_ offset: Int64, _ length: Int64, _ blockOffset: Int64 = 0) -> Extent {
        Extent(offset: offset, length: length, block: block, blockOffset: blockOffset)
    }

    @Test(
        "with hostile numbers are refused without a trap",
        arguments: [
            extent(0, 0), extent(0, -1), extent(-1, 1), extent(0, 1, -1), extent(.max, 1), extent(.max, .max, .max),
            extent(1, .max), extent(0, .min), extent(.min, .min, .min), extent(0, 4 << 20 | 1),
            extent(0, 1, 4 << 20), extent(border - 1, 2), extent(border, 1), extent(.max - 1, 1),
        ])
    func hostile(extent: Extent) {
        #expect(throws: ExtentError.self) { try ExtentValidation.checkSegment([extent], index: 0) }
    }

    @Test("out of order, overlapping, or past the file's end are refused")
    func order() throws {
        let good = [Self.extent(0, 10), Self.extent(10, 5), Self.extent(100, 1)]
        try ExtentValidation.checkSegment(good, index: 0, size: 101)
        #expect(throws: ExtentError.outOfBounds(offset: 100)) {
            try ExtentValidation.checkSegment(good, index: 0, size: 100)
        }
        #expect(throws: ExtentError.overlaps(offset: 9)) {
            try ExtentValidation.checkSegment([Self.extent(0, 10), Self.extent(9, 5)], index: 0)
        }
        #expect(throws: ExtentError.overlaps(offset: 10)) { try ExtentList(validating: good.reversed()) }
    }

    @Test("past their block's end or of an unknown block are refused")
    func blocks() throws {
        let extents = [Self.extent(0, 10, 90)]
        try ExtentValidation.checkBlocks(of: extents) { _ in 100 }
        #expect(throws: ExtentError.outsideBlock(Self.block)) {
            try ExtentValidation.checkBlocks(of: extents) { _ in 99 }
        }
        #expect(throws: ExtentError.unknownBlock(Self.block)) {
            try ExtentValidation.checkBlocks(of: extents) { _ in nil }
        }
    }

    @Test("in a stored row: whatever decodes is valid and encodes to the same bytes")
    func codecFuzz() {
        let random = SeededEntropy(seed: testSeed)
        let index: Int64 = 5
        let start = index * Self.border
        let row = SegmentCodec.encode(
            (0..<20).map {
                Extent(
                    offset: start + $0 * 5000, length: 4096, block: BlockID(ofStored: [UInt8($0 % 7)]),
                    blockOffset: $0 * 100)
            }, index: index)
        var decoded = 0
        for _ in 0..<5000 {
            var bytes = row
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            if random.below(4) == 0 { bytes.removeLast(random.below(bytes.count)) }
            guard let extents = try? SegmentCodec.decode(bytes, index: index) else { continue }
            decoded += 1
            #expect(SegmentCodec.encode(extents, index: index) == bytes, "seed \(testSeed)")
        }
        #expect(decoded > 0)
        for index in [Int64.min, -1, .max] {
            #expect(throws: (any Error).self) { try SegmentCodec.decode(row, index: index) }
        }
    }

    @Test("in a stored row of the first version still decode")
    func codecVector() throws {
        let extents = [
            Extent(offset: Self.border, length: 4096, block: Self.block, blockOffset: 0),
            Extent(offset: Self.border + 8192, length: 1, block: Self.block, blockOffset: 300),
        ]
        let bytes = SegmentCodec.encode(extents, index: 1)
        #expect(bytes.hex == "0101" + Self.block.hex + "02" + "00802000" + "00" + "80200100ac02")
        #expect(try SegmentCodec.decode(bytes, index: 1) == extents)
        #expect(throws: SegmentCodec.DecodingError.unsupportedVersion(2)) {
            try SegmentCodec.decode([2] + bytes.dropFirst(), index: 1)
        }
    }
}
