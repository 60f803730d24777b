/// Whether programs are changing things by the thousand right now. What would be sent is then often undone a moment later,
/// as by builds, and planning takes the store's lock from those who work. Pure.
package struct BurstGauge {
    /// Local changes a second from which on it is a burst.
    private static let changesPerSecond = 1_000.0
    private static let fewest: Int64 = 100
    /// Work goes up at least so often all the same.
    private static let longestWait: Duration = .seconds(2)
    /// How long to wait before looking again.
    package static let pause: Duration = .milliseconds(300)

    private var lastChanges: Int64?
    private var lastLook: Duration = .zero
    private var waitsSince: Duration?

    package init() {}

    /// `changes`: how many programs have made so far. What sync itself changes in the store is none.
    package mutating func isBurst(changes: Int64, now: Duration) -> Bool {
        defer {
            lastChanges = changes
            lastLook = now
        }
        guard let lastChanges, now > lastLook else { return false }
        let new = changes - lastChanges
        let seconds = (now - lastLook) / .seconds(1)
        guard new >= Self.fewest, Double(new) / seconds >= Self.changesPerSecond else {
            waitsSince = nil
            return false
        }
        let since = waitsSince ?? now
        waitsSince = now - since < Self.longestWait ? since : nil
        return waitsSince != nil
    }
}
