import DbxLocalStore
import DbxModel
import DbxSync

/// Rows that the server refused for good. They stay here, hold up nothing else, and have another try when the cause may
/// have changed or some minutes have passed. A value, owned by the sync loop.
struct HeldRows {
    struct Refusal: Hashable, Sendable {
        var number: InodeNumber
        var reason: String
        var remedy: String
        /// Of the content, where a change of that is what helps: then it has another try.
        var contentChange: Int64?
        /// Its names were refused, or may have been.
        var withNames = false
    }

    private(set) var rows: [NodeID: Refusal] = [:]
    private var retryAt: Duration?
    private static let patience: Duration = .seconds(300)

    var ids: Set<NodeID> { Set(rows.keys) }
    var withNames: Set<NodeID> { Set(rows.filter(\.value.withNames).keys) }
    var isEmpty: Bool { rows.isEmpty }
    /// When all of them are tried again.
    var deadline: Duration? { retryAt }

    mutating func hold(_ id: NodeID, _ refusal: Refusal, now: Duration) {
        rows[id] = refusal
        if retryAt == nil { retryAt = now + Self.patience }
    }

    /// Gives those another try whose content is another one by now.
    mutating func release(where hasChanged: (Refusal) -> Bool) {
        rows = rows.filter { !hasChanged($0.value) }
        if rows.isEmpty { retryAt = nil }
    }

    /// The cause may be gone.
    mutating func releaseAll() {
        rows = [:]
        retryAt = nil
    }

    /// Whether they are to be tried again now.
    mutating func releaseIfDue(now: Duration) -> Bool {
        guard let retryAt, retryAt <= now else { return false }
        releaseAll()
        return true
    }
}
