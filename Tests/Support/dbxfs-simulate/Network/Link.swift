import DbxModel
import DbxSystem
import DbxTestKit

/// The way from one device to the server and what is wrong with it now.
///
/// Sendable because one thread of a simulation runs at a time.
final class Link: @unchecked Sendable {
    enum Condition: String {
        case good
        /// Connections are refused.
        case down
        /// Nothing comes through and nobody says so.
        case blackHole
        /// Somebody answers everything with a page of HTML.
        case portal
        /// Requests and answers get lost, late and twice.
        case flaky
        /// Requests are turned away for now, sometimes after they were carried out.
        case busy
        /// Connections end in the middle of an answer.
        case breaking
    }

    let entropy: SeededEntropy
    private(set) var condition = Condition.good
    /// Milliseconds for one way.
    var latency = 5..<40
    /// Changes whenever the condition does: streams look again.
    let changes = Monitor(0)

    init(entropy: SeededEntropy) { self.entropy = entropy }

    func become(_ condition: Condition) {
        self.condition = condition
        changes.update { $0 += 1 }
    }

    var delay: Duration {
        let usual = Duration.microseconds(entropy.number(in: latency) * 1_000 + entropy.number(below: 1_000))
        return condition == .flaky && entropy.chance(20) ? usual + .milliseconds(entropy.number(below: 8_000)) : usual
    }

    func loses() -> Bool { condition == .flaky && entropy.chance(12) }
    /// Whether a request or its answer gets no further.
    func stops() -> Bool { entropy.chance(40) }
    func repeats() -> Bool { entropy.chance(condition == .flaky ? 10 : 1) }
}
