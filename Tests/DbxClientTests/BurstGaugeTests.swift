import DbxClient
import Testing

@Suite struct BurstGaugeTests {
    @Test func `single changes are no burst, thousands are, and work goes up all the same every two seconds`() {
        var gauge = BurstGauge()
        var change: Int64 = 0
        var now: Duration = .zero
        func look(after pause: Duration, changes: Int64) -> Bool {
            now += pause
            change += changes
            return gauge.isBurst(changes: change, now: now)
        }
        #expect(!look(after: .seconds(1), changes: 50_000), "the first look knows nothing of before")
        for _ in 0..<10 { #expect(!look(after: .milliseconds(100), changes: 3)) }
        let waits = (0..<40).map { _ in look(after: .milliseconds(300), changes: 3_000) }
        #expect(waits[0])
        let letThrough = waits.count { !$0 }
        #expect((4...6).contains(letThrough), "\(letThrough) of 12 seconds")
        #expect(!look(after: .milliseconds(300), changes: 5))
    }

    @Test func `files that are written by the hundred are no burst to wait for, a few among thousands of changes are`()
    {
        var gauge = BurstGauge()
        _ = gauge.isBurst(changes: 0, now: .zero)
        let looks: [(changes: Int64, written: Int64)] = [(3_000, 1_000), (6_000, 1_020), (9_000, 2_000)]
        let answers = looks.enumerated().map { index, look in
            gauge.isBurst(changes: look.changes, written: look.written, now: .seconds(index + 1))
        }
        #expect(answers == [false, true, false])
    }
}
