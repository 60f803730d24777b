package import DbxLocalStore
package import DbxModel

/// When the content of a file goes up (DESIGN §5.3): no writing handle open and some quiet, so short that others see the
/// file within a second; for handles that stay open after an fsync and the same quiet. At a deadline all the same, so that
/// a log or a database file is never older on the server than that.
package enum Readiness: Hashable, Sendable {
    case ready
    case at(Timestamp)
    /// Only an event can make it ready: the last writing handle closes, or an upload under way ends.
    case waiting

    package static let quiet: Duration = .milliseconds(700)
    package static let deadline: Duration = .seconds(30)

    package static func of(_ node: LocalNode, in context: PushContext, now: Timestamp) -> Readiness {
        if context.uploading.contains(node.number) { return .waiting }
        if context.urgent { return .ready }
        let quietAt = node.contentChangedAt.advanced(by: quiet)
        let deadlineAt = node.waitsSince.advanced(by: deadline)
        let waitsForQuiet = !context.openForWriting(node.number) || node.syncedSinceChange
        return reached(waitsForQuiet ? min(quietAt, deadlineAt) : deadlineAt, now: now)
    }

    /// A clock that went backwards makes a file ready at once instead of never.
    private static func reached(_ moment: Timestamp, now: Timestamp) -> Readiness {
        let farAhead = now.advanced(by: deadline + deadline)
        return moment <= now || moment > farAhead ? .ready : .at(moment)
    }
}

extension LocalNode {
    /// Since when there is something that the server does not have.
    var waitsSince: Timestamp { dirtySince ?? contentChangedAt }
}
