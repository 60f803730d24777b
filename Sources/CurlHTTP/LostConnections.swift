internal import Synchronization

/// Connections die without a word: a router forgets them, or the machine has moved to another network. An answer on a new
/// one proves it of those that have been silent since before.
package final class LostConnections: Sendable {
    private let answers = Atomic<UInt64>(0)

    package init() {}

    /// The server has answered on a new connection.
    package func prove() { answers.add(1, ordering: .relaxed) }

    var count: UInt64 { answers.load(ordering: .relaxed) }
}
