/// When the planner looks at the local rows again: soon after a change, but never so often that looking is most of what
/// the machine does. Pure.
struct PlanPacing {
    /// Nil: nothing has happened that a plan could be about.
    private var wanted: Duration? = .zero
    /// Planning takes the store's lock: after a long plan the next one waits longer.
    private var earliest: Duration = .zero
    private var pausedUntil: Duration = .zero

    /// Changes that come together are looked at together; of bursts `BurstGauge` knows.
    private static let gathering: Duration = .milliseconds(20)
    private static let betweenUploads: Duration = .milliseconds(250)

    /// Nil when there is nothing to plan for.
    var nextPlan: Duration? { wanted.map { max($0, pausedUntil) } }

    mutating func planNow() { wanted = .zero }

    mutating func planSoon(now: Duration) { plan(at: now + Self.gathering) }

    mutating func uploadFinished(isLast: Bool, now: Duration) { plan(at: isLast ? now : now + Self.betweenUploads) }

    /// At `moment` unless something earlier is set.
    mutating func plan(at moment: Duration) { wanted = min(wanted ?? .seconds(1 << 40), max(earliest, moment)) }

    /// What is wanted now is wanted then instead.
    mutating func postpone(until moment: Duration) { wanted = moment }

    /// No plan before `moment`, and one then.
    mutating func pause(until moment: Duration) {
        pausedUntil = max(pausedUntil, moment)
        plan(at: moment)
    }

    /// A plan was made; nothing more is to be planned until something happens.
    mutating func planned(from start: Duration, to end: Duration) {
        wanted = nil
        earliest = end + (end - start) * 5
    }
}
