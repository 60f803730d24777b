import DbxContent
import DbxModel
import DbxTestKit
import Testing

@Suite("Content hash", .timeLimit(.minutes(1)))
struct ContentHashTests {
    @Test("is the hash of the hashes of each 4 MiB", arguments: [0, 1, 4 << 20, 4 << 20 | 1, 9 << 20])
    func definition(count: Int) {
        let content = SeededEntropy(seed: 1).noise(count)
        var hashes: [UInt8] = []
        for start in stride(from: 0, to: count, by: 4 << 20) {
            hashes += sha256(content[start..<min(count, start + (4 << 20))])
        }
        var hash = ContentHash()
        hash.update(content.span)
        #expect(hash.finalize() == sha256(hashes))
    }

    private func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] { BlockID(ofStored: Array(bytes)).bytes }

    @Test("does not depend on how content and holes are fed")
    func pieces() {
        let random = SeededEntropy(seed: testSeed)
        var content: [UInt8] = []
        var pieceWise = ContentHash()
        while content.count < 12 << 20 {
            if random.below(2) == 0 {
                let zeros = random.below(5 << 20)
                pieceWise.updateWithZeros(Int64(zeros))
                content += [UInt8](repeating: 0, count: zeros)
            } else {
                let noise = random.noise(random.below(1 << 20))
                pieceWise.update(noise.span)
                content += noise
            }
        }
        var whole = ContentHash()
        whole.update(content.span)
        #expect(pieceWise.finalize() == whole.finalize(), "seed \(testSeed)")
    }
}
