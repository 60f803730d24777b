import DbxModel
import DbxTestKit
import Testing

@testable import DbxContent

@Suite("Upload plans", .timeLimit(.minutes(1)))
struct UploadPlanTests {
    @Test("make one block of 4 KiB and one segment of a 4 KiB change in a large file")
    func smallChange() throws {
        let place: Int64 = 700 << 20
        let plan = UploadPlan(runs: [place..<place + 4096], isNewStream: false)
        let blocks = try collect(plan) { [UInt8](repeating: 1, count: $0.count) }
        #expect(blocks.map(\.planned.pieces) == [[place..<place + 4096]])
        let extents = blocks[0].planned.extents(in: BlockID(ofStored: [1]))
        #expect(Set(extents.map { ContentLimits.segmentIndex(of: $0.offset) }).count == 1)
        #expect(extents.count == 1)
    }

    @Test("pack short runs together in offset order and cut long ones by content")
    func mixture() {
        let short = (0..<1500).map { Int64($0) * 100_000 }.map { $0..<$0 + 4096 }
        let long: Range<Int64> = 200 << 20..<210 << 20
        let plan = UploadPlan(runs: short + [long], isNewStream: false)
        let patches = plan.steps.compactMap { if case .patch(let block) = $0 { block } else { nil } }
        #expect(patches.count == 2)
        #expect(patches.allSatisfy { $0.plainBytes <= BlockLayout.maximumPlainBytes })
        #expect(patches.flatMap(\.pieces) == short)
        #expect(plan.steps.last == .stream([long]))
        #expect(UploadPlan(runs: [], isNewStream: true).steps.isEmpty)
        #expect(
            UploadPlan(runs: [0..<100_000, 100_000..<300_000], isNewStream: false).steps == [.stream([0..<300_000])])
    }

    @Test("keep short runs in different old blocks apart, unless there are very many")
    func groups() {
        let runs = (0..<300).map { Int64($0) * 10_000 }.map { $0..<$0 + 4096 }
        func pieces(_ runs: [Range<Int64>], blockBytes: Int64) -> [[Range<Int64>]] {
            let plan = UploadPlan(runs: runs, isNewStream: false) {
                BlockID(ofStored: ($0 / blockBytes).bigEndianBytes)
            }
            return plan.steps.compactMap { if case .patch(let block) = $0 { block.pieces } else { nil } }
        }
        #expect(
            pieces(runs, blockBytes: 1_000_000) == [Array(runs[..<100]), Array(runs[100..<200]), Array(runs[200...])])
        #expect(pieces(runs, blockBytes: 10_000) == [runs])
    }

    @Test("carry every byte of the runs exactly once, with 8 MiB at most in memory")
    func carriage() throws {
        let random = SeededEntropy(seed: testSeed)
        for isNewStream in [true, false] {
            let file = random.noise(24 << 20)
            var runs: [Range<Int64>] = []
            var position = 0
            while position < file.count {
                let end = min(file.count, position + 1 + random.below(random.below(2) == 0 ? 9000 : 6 << 20))
                runs.append(Int64(position)..<Int64(end))
                position = end + random.below(2) * random.below(50_000)
            }
            let blocks = try collect(UploadPlan(runs: runs, isNewStream: isNewStream)) {
                #expect($0.count <= 1 << 20)
                return Array(file[Int($0.lowerBound)..<Int($0.upperBound)])
            }
            var list = ExtentList()
            for (number, block) in blocks.enumerated() {
                #expect(block.bytes.count == block.planned.plainBytes)
                #expect(block.bytes.count <= BlockLayout.maximumPlainBytes)
                #expect(block.bytes == block.planned.pieces.flatMap { file[Int($0.lowerBound)..<Int($0.upperBound)] })
                for extent in block.planned.extents(in: BlockID(ofStored: number.bigEndianBytes)) {
                    #expect(list.slices(of: extent.range).isEmpty, "seed \(testSeed)")
                    list.replace(extent.range, with: [extent])
                }
            }
            #expect(list.allocatedBytes == runs.reduce(0) { $0 + Int64($1.count) }, "seed \(testSeed)")
            for run in runs { #expect(list.holes(in: run).isEmpty, "seed \(testSeed)") }
        }
    }

    @Test("split a block's extents where a segment ends")
    func borders() {
        let border = ContentLimits.segmentBytes
        let block = BlockID(ofStored: [1])
        #expect(
            PlannedBlock(pieces: [0..<10, border - 5..<border + 5]).extents(in: block) == [
                Extent(offset: 0, length: 10, block: block, blockOffset: 0),
                Extent(offset: border - 5, length: 5, block: block, blockOffset: 10),
                Extent(offset: border, length: 5, block: block, blockOffset: 15),
            ])
    }

    private func collect(
        _ plan: UploadPlan, read: (Range<Int64>) throws -> [UInt8]
    ) throws -> [BlockSource.Block] {
        var source = BlockSource(plan)
        var blocks: [BlockSource.Block] = []
        while let block = try source.next(read: read) { blocks.append(block) }
        return blocks
    }
}
