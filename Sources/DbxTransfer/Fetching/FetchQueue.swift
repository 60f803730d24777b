import DbxClientAPI
import DbxLocalStore
import DbxModel

/// Which blocks are fetched next, by whom they are awaited, and when they are tried again. A value without I/O, time or
/// locks: `BlockFetcher` holds it in its monitor and tells it the time.
///
/// Each key stands in it at most once, however many wait for it. Small ones that are ready together go together: while
/// some requests are under way others gather, and nothing is held back for company.
struct FetchQueue<Key: Hashable & Sendable, Waiter: Sendable>: Sendable {
    enum Step {
        /// More than one only where all of them are small.
        case fetch([Key])
        case wait(until: Duration)
        case idle
    }

    private struct Item: Sendable {
        var waiters: [(id: UInt64, waiter: Waiter)] = []
        /// Of the most urgent waiter.
        var priority: FetchPriority
        /// What it adds to a request of many; nil where it is fetched alone.
        var bytes: Int64?
        var isRunning = false
        var order: UInt64
        var retry = RetryPolicy(first: .milliseconds(100), longest: .seconds(5))
        var notBefore: Duration = .zero
        /// Whether the server has said how long to wait.
        var isPauseAsked = false
        /// After this it is given up.
        var deadline: Duration
    }

    private var items: [Key: Item] = [:]
    private var keyOfWaiter: [UInt64: Key] = [:]
    private var nextOrder: UInt64 = 0
    private let patience: Duration

    /// - Parameter patience: how long a key is tried for whoever began to wait last, before its waiters are told that it failed.
    init(patience: Duration) { self.patience = patience }

    var count: Int { items.count }

    /// - Parameter bytes: of a block that may be fetched together with others.
    mutating func add(
        _ key: Key, waiter: Waiter, id: UInt64, priority: FetchPriority, bytes: Int64? = nil, now: Duration
    ) {
        var item = items[key] ?? Item(priority: priority, bytes: bytes, order: nextOrder, deadline: now + patience)
        nextOrder += 1
        item.waiters.append((id, waiter))
        item.priority = min(item.priority, priority)
        // Whoever comes last has as much patience as the first one had.
        item.deadline = max(item.deadline, now + patience)
        // A program that asks now waits for no pause that others' failures have earned, only for one the server wants.
        if priority == .demand, !item.isPauseAsked { item.notBefore = min(item.notBefore, now) }
        items[key] = item
        keyOfWaiter[id] = key
    }

    /// The most urgent keys first, the longest waiting first among equals. `.fetch` marks the keys as running.
    ///
    /// - Parameter lowest: what is less urgent stays.
    mutating func next(now: Duration, lowest: FetchPriority = .background) -> Step {
        var best: (key: Key, item: Item)?
        var wakeAt: Duration?
        for (key, item) in items where !item.isRunning && item.priority <= lowest {
            guard item.notBefore <= now else {
                wakeAt = min(wakeAt ?? item.notBefore, item.notBefore)
                continue
            }
            if best.map({ Self.precedes(item, $0.item) }) ?? true { best = (key, item) }
        }
        guard let best else { return wakeAt.map { .wait(until: $0) } ?? .idle }
        let keys = best.item.bytes == nil ? [best.key] : company(now: now, lowest: lowest)
        for key in keys { items[key]?.isRunning = true }
        return .fetch(keys)
    }

    /// The small keys that are ready, as many as go into one request.
    private func company(now: Duration, lowest: FetchPriority) -> [Key] {
        let ready = items.filter { _, item in
            !item.isRunning && item.priority <= lowest && item.notBefore <= now && item.bytes != nil
        }
        var left = FetchBatch.maximumBytes
        return ready.sorted { Self.precedes($0.value, $1.value) }.prefix(FetchBatch.maximumBlocks).prefix { _, item in
            left -= item.bytes ?? 0
            return left >= 0
        }.map(\.key)
    }

    private static func precedes(_ a: Item, _ b: Item) -> Bool {
        a.priority != b.priority ? a.priority < b.priority : a.order < b.order
    }

    /// Whether somebody waits for the key.
    func isAwaited(_ key: Key) -> Bool { !(items[key]?.waiters.isEmpty ?? true) }

    func priority(of key: Key) -> FetchPriority? { items[key]?.priority }

    /// Takes the key out; its waiters are to be told what became of it.
    mutating func finish(_ key: Key) -> [Waiter] {
        guard let item = items.removeValue(forKey: key) else { return [] }
        for waiter in item.waiters { keyOfWaiter[waiter.id] = nil }
        return item.waiters.map(\.waiter)
    }

    /// Puts the key back for another try; false when its time is up.
    mutating func retryLater(_ key: Key, retryAfter: Duration?, hasBudget: Bool, random: UInt64, now: Duration) -> Bool
    {
        guard var item = items[key] else { return true }
        var delay = item.retry.delayAfterFailure(retryAfter: retryAfter, random: random)
        if !hasBudget { delay = max(delay, .seconds(5)) }
        guard now + delay < item.deadline else { return false }
        item.notBefore = now + delay
        item.isPauseAsked = retryAfter != nil
        item.isRunning = false
        items[key] = item
        return true
    }

    /// Puts the key back, to be fetched by itself: together with others it could not be had.
    mutating func retryAlone(_ key: Key) {
        items[key]?.bytes = nil
        stopped(key)
    }

    /// Takes one waiter out. Gives the waiter, and its key when nobody else waits for it and it is being fetched: that
    /// may then be ended, and the fetcher reports it with `stopped`.
    mutating func cancel(_ id: UInt64) -> (waiter: Waiter, abandoned: Key?)? {
        guard let key = keyOfWaiter.removeValue(forKey: id), var item = items[key],
            let index = item.waiters.firstIndex(where: { $0.id == id })
        else { return nil }
        let waiter = item.waiters.remove(at: index).waiter
        let isAbandoned = item.waiters.isEmpty
        items[key] = isAbandoned && !item.isRunning ? nil : item
        return (waiter, isAbandoned && item.isRunning ? key : nil)
    }

    /// The fetch of the key was ended from outside. Whoever began to wait for it meanwhile gets another one.
    mutating func stopped(_ key: Key) {
        guard var item = items[key] else { return }
        item.isRunning = false
        items[key] = item.waiters.isEmpty ? nil : item
    }

    /// Takes all waiters out. Gives them, and the keys that are being fetched, to be treated as with `cancel`.
    mutating func cancelAll() -> (waiters: [Waiter], abandoned: [Key]) {
        let all = items.values.sorted { $0.order < $1.order }.flatMap(\.waiters)
        let running = items.filter(\.value.isRunning)
        items = running.mapValues { item in
            var item = item
            item.waiters = []
            return item
        }
        keyOfWaiter = [:]
        return (all.map(\.waiter), Array(running.keys))
    }
}

/// What is fetched in one request.
enum FetchBatch {
    static let maximumBlocks = 64
    static let maximumBytes: Int64 = 1 << 20
    /// A larger block is worth a request of its own.
    static let smallBlockBytes = Int64(ContentLimits.maximumPackedBytes)
}
