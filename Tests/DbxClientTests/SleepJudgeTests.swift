import DbxSystem
import Testing

@Suite("Whether the machine sleeps") struct SleepJudgeTests {
    private var judge = SleepJudge(slept: .seconds(100))

    @Test mutating func `an announced sleep is prepared once, and the end of it wakes once`() {
        #expect(judge.announced(sleep: true, now: .seconds(1)) == [.prepare])
        #expect(judge.announced(sleep: true, now: .seconds(1)) == [])
        #expect(judge.looked(slept: .seconds(100), now: .seconds(2)) == [])
        #expect(judge.announced(sleep: false, now: .seconds(3)) == [.wake, .takeDelay])
        #expect(judge.looked(slept: .seconds(100), now: .seconds(50)) == [])
    }

    @Test mutating func `the clocks tell of the end of a sleep before logind does`() {
        _ = judge.announced(sleep: true, now: .seconds(1))
        #expect(judge.looked(slept: .seconds(4_000), now: .seconds(2)) == [.wake])
        #expect(judge.announced(sleep: false, now: .seconds(2)) == [.takeDelay])
    }

    @Test mutating func `a sleep that nobody announced is noticed once`() {
        #expect(judge.looked(slept: .seconds(100), now: .seconds(1)) == [])
        #expect(judge.looked(slept: .milliseconds(100_400), now: .seconds(1)) == [])
        #expect(judge.looked(slept: .seconds(160), now: .seconds(2)) == [.wake])
        #expect(judge.looked(slept: .seconds(160), now: .seconds(3)) == [])
    }

    @Test mutating func `a sleep that does not come is given up`() throws {
        #expect(judge.nextLook(now: .seconds(1)) == nil)
        _ = judge.announced(sleep: true, now: .seconds(1))
        let next = try #require(judge.nextLook(now: .seconds(1)))
        #expect(judge.looked(slept: .seconds(100), now: .seconds(1) + next - .milliseconds(1)) == [])
        #expect(judge.looked(slept: .seconds(100), now: .seconds(1) + next) == [.wake])
        #expect(judge.nextLook(now: .seconds(100)) == nil)
    }

    @Test mutating func `a bus that goes during a sleep leaves nobody asleep`() {
        #expect(judge.lostAnnouncements() == [])
        _ = judge.announced(sleep: true, now: .seconds(1))
        #expect(judge.lostAnnouncements() == [.wake])
    }
}
