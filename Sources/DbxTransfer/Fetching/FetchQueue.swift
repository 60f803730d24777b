import DbxClientAPI

/// Which block is fetched next, by whom it is awaited, and when it is tried again. A value without I/O, time or locks:
/// `BlockFetcher` holds it in its monitor and tells it the time.
///
/// Each key stands in it at most once, however many wait for it.
struct FetchQueue<Key: Hashable & Sendable, Waiter: Sendable>: Sendable {
    enum Step {
        case fetch(Key)
        case wait(until: Duration)
        case idle
    }

    private struct Item: Sendable {
        var waiters: [(id: UInt64, waiter: Waiter)] = []
        /// Somebody is waiting for the bytes, as opposed to readahead.
        var isDemanded = false
        var isRunning = false
        var order: UInt64
        var retry = RetryPolicy(first: .milliseconds(100), longest: .seconds(5))
        var notBefore: Duration = .zero
        /// After this it is given up.
        var deadline: Duration
    }

    private var items: [Key: Item] = [:]
    private var keyOfWaiter: [UInt64: Key] = [:]
    private var nextOrder: UInt64 = 0
    private let patience: Duration

    /// - Parameter patience: how long a key is tried before its waiters are told that it failed.
    init(patience: Duration) { self.patience = patience }

    var count: Int { items.count }

    mutating func add(_ key: Key, waiter: Waiter, id: UInt64, isDemanded: Bool, now: Duration) {
        var item = items[key] ?? Item(order: nextOrder, deadline: now + patience)
        nextOrder += 1
        item.waiters.append((id, waiter))
        item.isDemanded = item.isDemanded || isDemanded
        items[key] = item
        keyOfWaiter[id] = key
    }

    /// Demanded keys first, the longest waiting first among equals. `.fetch` marks the key as running.
    mutating func next(now: Duration) -> Step {
        var best: (key: Key, item: Item)?
        var wakeAt: Duration?
        for (key, item) in items where !item.isRunning {
            guard item.notBefore <= now else {
                wakeAt = min(wakeAt ?? item.notBefore, item.notBefore)
                continue
            }
            if best.map({ Self.precedes(item, $0.item) }) ?? true { best = (key, item) }
        }
        guard let best else { return wakeAt.map { .wait(until: $0) } ?? .idle }
        items[best.key]?.isRunning = true
        return .fetch(best.key)
    }

    private static func precedes(_ a: Item, _ b: Item) -> Bool {
        a.isDemanded != b.isDemanded ? a.isDemanded : a.order < b.order
    }

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
        item.isRunning = false
        items[key] = item
        return true
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
