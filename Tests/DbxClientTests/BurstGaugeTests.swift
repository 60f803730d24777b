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
}
