import DbxModel

/// The counters of changes and of cookies go up for as long as the store lives. A row of `meta` tells a number above all that
/// were given out, so that a start need not look for the largest ones in all rows: it goes on behind that.
extension LocalStore {
    private static let counterKey = "counters"
    /// How far ahead the row is: one write for so many changes.
    private static let counterLead: Int64 = 1 << 20

    /// At a start. A store of before has no such row.
    func loadCounters() throws {
        if let limit = try meta(Self.counterKey) {
            counterLimit = Int64(bitPattern: limit.bigEndianValue)
            (change, nextCookie) = (counterLimit, counterLimit + 1)
        } else {
            change = try maximum("SELECT max(change) FROM nodes", "SELECT max(change) FROM entries")
            nextCookie = try maximum("SELECT max(cookie) FROM entries") + 1
        }
    }

    /// As the last part of each operation.
    func keepCounters() throws {
        let reached = max(change, nextCookie - 1)
        guard reached > counterLimit else { return }
        undo.append { [unowned self, before = counterLimit] in counterLimit = before }
        counterLimit = reached + Self.counterLead
        try setMeta(Self.counterKey, counterLimit.bigEndianBytes)
    }
}
