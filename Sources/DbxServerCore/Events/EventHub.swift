package import DbxModel
package import DbxWire

/// Passes notices of commits on to whoever listens in this process.
///
/// A notice is only a wake-up. Guarded by a lock of its own, under which no receiver is called.
package final class EventHub: Sendable {
    package enum Event: Hashable, Sendable {
        case change(ChangeNotice)
        /// The device was revoked or its user disabled: end the stream.
        case ended
    }

    init() {}
}

/// One listener. Ends with `cancel()` or when the last reference goes; a call that is under way on another thread may
/// still arrive then.
package final class EventSubscription: Sendable {
    package func cancel() { fatalError() }
}

/// The text of a server-sent event's id and of the long poll's `after`: `namespace:seq`, several joined by commas.
package struct EventPosition: Hashable, Sendable {
    package var heads: [NamespaceID: Seq]

    package init(heads: [NamespaceID: Seq]) { self.heads = heads }
    package init(_ notice: ChangeNotice) { heads = [notice.namespace: notice.seq] }

    /// Nil when `text` has another form.
    package init?(text: String) {
        var heads: [NamespaceID: Seq] = [:]
        for part in text.split(separator: ",") {
            let fields = part.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 2, let namespace = NamespaceID(hex: String(fields[0])), let seq = Int64(fields[1]),
                seq >= 0
            else { return nil }
            heads[namespace] = Seq(seq)
        }
        self.heads = heads
    }

    package var text: String {
        heads.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: ",")
    }
}
