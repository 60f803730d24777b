import DbxModel
import DbxTestKit
import Testing

@testable import DbxTransfer

@Suite struct UploadGaugeTests {
    @Test(arguments: testSeeds(50))
    func `it comes to the rate of what is sent, whatever pauses there are between files`(seed: UInt64) {
        let random = SeededEntropy(seed: seed)
        let rate = Double(random.number(in: 100_000..<500_000_000))
        var gauge = UploadGauge()
        var now: Duration = .seconds(random.number(below: 1_000))
        for _ in 0..<20 {
            let blocks = (0..<random.number(in: 1..<20)).map { _ in Int64(random.number(in: 1..<(4 << 20))) }
            let total = blocks.reduce(0, +)
            gauge.begin(total, now: now)
            var left = total
            for block in blocks {
                now += .seconds(Double(block) / rate)
                gauge.sent(block, now: now)
                left -= block
                #expect(gauge.outstandingBytes == left)
            }
            gauge.end(left: 0, now: now)
            #expect(gauge.idleSince == now)
            now += .seconds(random.number(below: 100))
        }
        #expect(abs(gauge.perSecond(now: now) / rate - 1) < 0.1, "seed \(seed)")
    }

    @Test func `a link that stalls is seen to be slow, and nothing is left of files that were given up`() {
        var gauge = UploadGauge()
        gauge.begin(10 << 20, now: .zero)
        gauge.begin(1 << 20, now: .zero)
        gauge.sent(1 << 20, now: .milliseconds(10))
        let before = gauge.perSecond(now: .milliseconds(10))
        #expect(gauge.perSecond(now: .seconds(60)) < before / 100)
        gauge.end(left: 9 << 20, now: .seconds(60))
        #expect(gauge.outstandingBytes == 1 << 20)
        gauge.end(left: 0, now: .seconds(60))
        #expect(gauge.outstandingBytes == 0)
    }
}
