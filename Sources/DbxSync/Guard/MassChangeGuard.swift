package import DbxModel

/// Decides when deletions and rewrites are too many to go to the server unseen (DESIGN §5.3). Pure: counts and times are
/// the caller's.
///
/// A burst is judged as a whole: once it is large enough to be one, it waits until no more comes for a while. What has
/// gone up within the window counts as well, so that slow destruction is noticed too.
package struct MassChangeGuard: Sendable {
    package struct Settings: Hashable, Sendable {
        /// Fewer are never held.
        package var minimum = 1_000
        /// Nor less than this part of the namespace.
        package var share = 0.25
        package var window: Duration = .seconds(3_600)
        /// Only nodes older than this count.
        package var age: Duration = .seconds(86_400)
        package var quiet: Duration = .seconds(5)
        package var longestGathering: Duration = .seconds(60)

        package init() {}

        /// From here on changes are gathered before they are judged.
        var burst: Int { max(1, minimum / 10) }
    }

    /// What is held, until somebody decides. Kept over restarts.
    package struct Trip: Hashable, Sendable, Codable {
        package var at: Timestamp
        package var rule: HoldRule
        package var changes: Int
        package var isUndoing = false
    }

    /// What is remembered over restarts.
    package struct Record: Hashable, Sendable, Codable {
        package var trip: Trip?
        package var confirmedChange: Int64 = 0

        package init() {}
    }

    package enum Verdict: Hashable, Sendable {
        case open
        /// Held; to be judged again then. Nil: until somebody decides.
        case hold(HoldRule, until: Duration?)
    }

    private let settings: Settings
    package private(set) var record: Record
    private var sent: [(at: Duration, count: Int)] = []
    private var gathering: (since: Duration, count: Int, grownAt: Duration)?

    package init(_ settings: Settings, record: Record = Record()) {
        self.settings = settings
        self.record = record
    }

    /// What is counted now.
    package func rule(wall: Timestamp) -> HoldRule {
        record.trip?.rule
            ?? HoldRule(bornBefore: wall.advanced(by: .zero - settings.age), confirmedChange: record.confirmedChange)
    }

    /// - Parameter pending: how many nodes the rule of this moment finds endangered.
    /// - Parameter nodes: how many there are at all, counted up to a number; asked only when it matters.
    package mutating func judge<Failure: Error>(
        pending: Int, now: Duration, wall: Timestamp, nodes: (Int) throws(Failure) -> Int
    ) throws(Failure) -> Verdict {
        let rule = rule(wall: wall)
        if record.trip != nil {
            guard pending > 0 else {
                // Undone, or put back by hand.
                record.trip = nil
                gathering = nil
                return .open
            }
            record.trip?.changes = pending
            return .hold(rule, until: nil)
        }
        guard pending >= settings.burst else {
            gathering = nil
            return .open
        }
        sent.removeAll { now - $0.at > settings.window }
        let all = pending + sent.reduce(0) { $0 + $1.count }
        if all >= settings.minimum, try isLargeShare(all, nodes) {
            record.trip = Trip(at: wall, rule: rule, changes: pending)
            return .hold(rule, until: nil)
        }
        return gather(pending, now: now).map { .hold(rule, until: $0) } ?? .open
    }

    private func isLargeShare<Failure: Error>(
        _ count: Int, _ nodes: (Int) throws(Failure) -> Int
    ) throws(Failure) -> Bool {
        guard settings.share > 0 else { return true }
        // Of so many nodes and more it would be a small one.
        let limit = Double(count + 1) / settings.share + 1
        return try count >= Int(Double(nodes(Int(min(limit, 1e12)))) * settings.share)
    }

    /// Until when to wait for more; nil when it has been quiet, or has gone on for long enough.
    private mutating func gather(_ pending: Int, now: Duration) -> Duration? {
        var state = gathering ?? (since: now, count: 0, grownAt: now)
        if pending > state.count { state.grownAt = now }
        state.count = pending
        gathering = state
        let end = min(state.grownAt + settings.quiet, state.since + settings.longestGathering)
        return end > now ? end : nil
    }

    /// The server has taken so many.
    package mutating func sent(_ count: Int, now: Duration) {
        if count > 0 { sent.append((now, count)) }
    }

    /// Everything up to this local change may go.
    package mutating func confirm(change: Int64) {
        record = Record()
        record.confirmedChange = change
        sent = []
        gathering = nil
    }

    /// What is held is being put back: it stays held until nothing of it is left.
    package mutating func beginUndo() { record.trip?.isUndoing = true }

    /// All of it is as the server has it: what is pending now was done since, and is judged anew.
    package mutating func endUndo() {
        guard record.trip?.isUndoing == true else { return }
        record.trip = nil
        gathering = nil
    }
}
