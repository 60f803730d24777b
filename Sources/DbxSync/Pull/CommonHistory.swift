import DbxLocalStore
package import DbxModel
import DbxWire

/// How far the server's history is the one that this client knows, when the server does not take its cursor any more: as
/// far as the newest of its cursors whose hash the server's commits have. What was agreed up to there and is gone was
/// removed by somebody; what was agreed later, the server has lost.
package struct CommonHistory: Hashable, Sendable, Codable {
    package var seq: Seq
    /// The server's data were damaged since: what it does not have, it may have lost in whatever way.
    package var isMended: Bool

    package init(seq: Seq, isMended: Bool = false) {
        self.seq = seq
        self.isMended = isMended
    }

    /// `ask` tells how the server answers a cursor: whether its data were damaged since, or nil where it does not know that
    /// history.
    package static func find<Failure: Error>(
        among histories: [(known: Seq, cursor: [UInt8])],
        ask: (String) throws(Failure) -> Bool?
    ) throws(Failure) -> CommonHistory {
        // Once they agree, they agree on all that was before.
        var (first, end) = (0, histories.count)
        var found = CommonHistory(seq: .zero)
        while first < end {
            let middle = (first + end) / 2
            if let isMended = try ask(String(decoding: histories[middle].cursor, as: UTF8.self)) {
                found = CommonHistory(seq: histories[middle].known, isMended: isMended)
                end = middle
            } else {
                first = middle + 1
            }
        }
        return found
    }

    /// The one that the last relisting began with.
    static func last(in store: LocalStore) throws -> CommonHistory? {
        try store.meta(SyncMeta.common).map { try WireJSON.decode(CommonHistory.self, from: $0) }
    }
}
