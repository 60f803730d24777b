/// Decides when the machine goes to sleep and when it is awake again, from what logind announces and from the clocks: time
/// that passes on CLOCK_BOOTTIME only was slept through.
package struct SleepJudge {
    package enum Action: Hashable {
        /// Everything that would keep the machine from falling asleep is to end; then the delay is given back.
        case prepare
        /// The machine has slept, or does not sleep after all.
        case wake
        /// The next sleep is to be delayed until we are prepared.
        case takeDelay
    }

    /// A sleep that was announced and has not come after this time does not come.
    package static let longestPreparation: Duration = .seconds(30)

    private var slept: Duration
    private var isPrepared = false
    private var preparedAt: Duration = .zero

    /// - Parameter slept: how long the machine has slept since it was started.
    package init(slept: Duration) { self.slept = slept }

    /// logind says that the machine is about to sleep, or no longer.
    package mutating func announced(sleep isComing: Bool, now: Duration) -> [Action] {
        if isComing {
            defer { preparedAt = now }
            guard !isPrepared else { return [] }
            isPrepared = true
            return [.prepare]
        }
        guard isPrepared else { return [.takeDelay] }
        isPrepared = false
        return [.wake, .takeDelay]
    }

    /// Nobody announces any more: the bus or logind has gone.
    package mutating func lostAnnouncements() -> [Action] {
        guard isPrepared else { return [] }
        isPrepared = false
        return [.wake]
    }

    /// `now`: on a clock that stands still while the machine sleeps.
    package mutating func looked(slept: Duration, now: Duration) -> [Action] {
        let hasSlept = slept - self.slept > .seconds(1)
        if hasSlept { self.slept = slept }
        guard hasSlept || isPrepared && now - preparedAt >= Self.longestPreparation else { return [] }
        isPrepared = false
        return [.wake]
    }

    /// When to look again, whatever happens; nil: not before something happens.
    package func nextLook(now: Duration) -> Duration? {
        isPrepared ? max(preparedAt + Self.longestPreparation - now, .milliseconds(1)) : nil
    }
}
