import DbxModel
import DbxTestKit
import Testing

@testable import DbxContent

@Suite("FastCDC", .timeLimit(.minutes(1)))
struct FastCDCTests {
    @Test("cuts a known stream at the places where it will be cut for ever")
    func knownCuts() {
        let stream = SeededEntropy(seed: 1).noise(16 << 20)
        #expect(
            cuts(of: stream) == [
                1_579_237, 2_030_518, 1_361_927, 1_187_524, 1_596_268, 1_204_354, 1_649_248, 1_092_365, 1_615_076,
                1_105_348, 591_900, 1_508_540, 254_911,
            ])
        #expect(FastCDC.gear[0] == 911_275_000_505_007_339)
        #expect(FastCDC.gear[255] == 6_867_592_741_215_321_088)
    }

    @Test("cuts alike however the stream is pushed")
    func pushSizes() {
        let random = SeededEntropy(seed: testSeed)
        let stream = random.noise(8 << 20)
        let whole = cuts(of: stream)
        for _ in 0..<4 {
            var chunker = FastCDC()
            var lengths: [Int] = []
            var position = 0
            while position < stream.count {
                let end = min(stream.count, position + 1 + random.below(random.below(2) == 0 ? 100_000 : 3 << 20))
                let pending = chunker.pendingBytes
                if let cut = chunker.push(stream.span.extracting(position..<end)) {
                    lengths.append(pending + cut)
                    position += cut
                } else {
                    position = end
                }
            }
            if chunker.pendingBytes > 0 { lengths.append(chunker.pendingBytes) }
            #expect(lengths == whole, "seed \(testSeed)")
        }
    }

    @Test("keeps every chunk but the last within the bounds and loses nothing")
    func bounds() {
        let random = SeededEntropy(seed: testSeed)
        let streams = [
            random.noise(12 << 20), prose(5 << 20), [UInt8](repeating: 0, count: 9 << 20), random.noise(100), [],
        ]
        for stream in streams {
            let lengths = cuts(of: stream)
            #expect(lengths.reduce(0, +) == stream.count, "seed \(testSeed)")
            #expect(lengths.dropLast().allSatisfy { (FastCDC.minimumBytes...FastCDC.maximumBytes).contains($0) })
            #expect(lengths.last ?? 1 > 0)
        }
    }

    @Test("finds its old cuts again after an inserted byte")
    func locality() {
        let random = SeededEntropy(seed: testSeed)
        let stream = random.noise(16 << 20)
        let place = random.below(stream.count)
        let changed = stream[..<place] + [7] + stream[place...]
        let before = Set(chunks(of: stream))
        let after = chunks(of: Array(changed))
        #expect(after.filter { !before.contains($0) }.count <= 6, "seed \(testSeed)")
    }

    private func cuts(of stream: [UInt8]) -> [Int] { chunks(of: stream).map(\.count) }

    private func chunks(of stream: [UInt8]) -> [ArraySlice<UInt8>] {
        var chunks: [ArraySlice<UInt8>] = []
        var rest = stream[...]
        while !rest.isEmpty {
            let length = FastCDC.nextCut(in: rest.span)
            chunks.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return chunks
    }
}
