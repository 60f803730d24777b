import Synchronization

/// Slows down guessing: after a few failures each further try of a user from an address, and of an address for any
/// user, has to wait twice as long as the one before.
///
/// In memory only; guarded by its lock. A try counts as failed until it has succeeded, so that many at once gain
/// nothing.
final class LoginLimiter: Sendable {
    private struct Record {
        var failures = 0
        var lastTry: Duration
        var blockedUntil: Duration = .zero
    }

    private struct Key: Hashable {
        let user: String?
        let address: String
    }

    private let records = Mutex<[Key: Record]>([:])

    private static let freeTries = 5
    private static let freeTriesOfAddress = 30
    private static let longestWait = 900
    private static let forgetAfter = Duration.seconds(3_600)
    private static let maximumRecords = 20_000

    /// Counts a try; returns the seconds to wait where it must not be made.
    func begin(user: String, address: String, now: Duration) -> Int? {
        records.withLock { records in
            if records.count >= Self.maximumRecords { Self.forget(&records, now) }
            let keys = [Key(user: user, address: address), Key(user: nil, address: address)]
            let blocked = keys.compactMap { records[$0]?.blockedUntil }.max() ?? .zero
            if blocked > now { return Int((blocked - now).components.seconds) + 1 }
            for key in keys {
                var record = records[key] ?? Record(lastTry: now)
                if now - record.lastTry > Self.forgetAfter { record = Record(lastTry: now) }
                record.failures += 1
                record.lastTry = now
                let excess = record.failures - (key.user == nil ? Self.freeTriesOfAddress : Self.freeTries)
                if excess >= 0 { record.blockedUntil = now + .seconds(min(1 << min(excess, 20), Self.longestWait)) }
                records[key] = record
            }
            return nil
        }
    }

    func succeeded(user: String, address: String) {
        records.withLock { records in
            records[Key(user: user, address: address)] = nil
            let key = Key(user: nil, address: address)
            if let record = records[key], record.failures > 0 { records[key]?.failures -= 1 }
        }
    }

    private static func forget(_ records: inout [Key: Record], _ now: Duration) {
        records = records.filter { now - $0.value.lastTry <= forgetAfter }
        guard records.count >= maximumRecords else { return }
        let oldest = records.sorted { $0.value.lastTry < $1.value.lastTry }.prefix(maximumRecords / 2)
        for (key, _) in oldest { records[key] = nil }
    }
}
