package import DbxModel
package import DbxWire

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
