import DbxLocalStore
import Testing

@testable import DbxTransfer

@Suite("Fetch queue")
struct FetchQueueTests {
    private typealias Queue = FetchQueue<String, Int>

    private func fetched(_ queue: inout Queue, now: Duration = .zero) -> String? {
        if case .fetch(let keys) = queue.next(now: now), keys.count == 1 { keys[0] } else { nil }
    }

    @Test func `What somebody waits for goes before readahead, and the oldest first`() {
        var queue = Queue(patience: .seconds(60))
        queue.add("ahead", waiter: 1, id: 1, priority: .readahead, now: .zero)
        queue.add("first", waiter: 2, id: 2, priority: .demand, now: .zero)
        queue.add("second", waiter: 3, id: 3, priority: .demand, now: .zero)
        queue.add("later", waiter: 4, id: 4, priority: .readahead, now: .zero)
        queue.add("later", waiter: 5, id: 5, priority: .demand, now: .zero)
        var order: [String] = []
        while let key = fetched(&queue) { order.append(key) }
        #expect(order == ["first", "second", "later", "ahead"])
        #expect(queue.finish("later") == [4, 5])
        #expect(queue.finish("later").isEmpty)
    }

    @Test func `A retry waits for its time and ends with its patience`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, priority: .demand, now: .zero)
        #expect(fetched(&queue) == "a")
        let isRetried = queue.retryLater("a", retryAfter: .seconds(1), hasBudget: true, random: 0, now: .zero)
        #expect(isRetried)
        guard case .wait(let until) = queue.next(now: .milliseconds(500)) else {
            Issue.record("nothing to wait for")
            return
        }
        #expect(until == .seconds(1))
        #expect(fetched(&queue, now: .seconds(1)) == "a")
        let isRetriedAgain = queue.retryLater(
            "a", retryAfter: .seconds(1), hasBudget: true, random: 0, now: .seconds(1))
        #expect(!isRetriedAgain)
    }

    @Test func `Who comes late has the same patience as who came first`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, priority: .demand, now: .zero)
        #expect(fetched(&queue) == "a")
        queue.add("a", waiter: 2, id: 2, priority: .demand, now: .milliseconds(1_500))
        let isRetried = queue.retryLater("a", retryAfter: .seconds(1), hasBudget: true, random: 0, now: .seconds(2))
        #expect(isRetried)
    }

    @Test func `Who asks while a retry waits for its time does not wait for it`() {
        var queue = Queue(patience: .seconds(60))
        queue.add("a", waiter: 1, id: 1, priority: .background, now: .zero)
        #expect(fetched(&queue) == "a")
        let isRetried = queue.retryLater("a", retryAfter: nil, hasBudget: false, random: 0, now: .zero)
        #expect(isRetried)
        queue.add("a", waiter: 2, id: 2, priority: .background, now: .seconds(1))
        #expect(fetched(&queue, now: .seconds(1)) == nil)
        queue.add("a", waiter: 3, id: 3, priority: .demand, now: .seconds(1))
        #expect(fetched(&queue, now: .seconds(1)) == "a")
    }

    @Test func `The last waiter to leave ends the fetch, and who comes meanwhile gets another`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, priority: .demand, now: .zero)
        queue.add("a", waiter: 2, id: 2, priority: .demand, now: .zero)
        #expect(fetched(&queue) == "a")
        let first = queue.cancel(1)
        #expect(first?.waiter == 1 && first?.abandoned == nil)
        let second = queue.cancel(2)
        #expect(second?.waiter == 2 && second?.abandoned == "a")
        let nobody = queue.cancel(2)
        #expect(nobody == nil)
        queue.add("a", waiter: 3, id: 3, priority: .demand, now: .zero)
        #expect(fetched(&queue) == nil)
        queue.stopped("a")
        #expect(fetched(&queue) == "a")
        #expect(queue.finish("a") == [3])
        #expect(queue.count == 0)
    }

    @Test func `Leaving before the fetch began forgets it`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, priority: .demand, now: .zero)
        let left = queue.cancel(1)
        #expect(left?.abandoned == nil)
        #expect(fetched(&queue) == nil)
        #expect(queue.count == 0)
    }

    @Test func `All can be told at once`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, priority: .demand, now: .zero)
        queue.add("b", waiter: 2, id: 2, priority: .demand, now: .zero)
        #expect(fetched(&queue) == "a")
        let all = queue.cancelAll()
        #expect(all.waiters == [1, 2] && all.abandoned == ["a"])
        queue.stopped("a")
        #expect(queue.count == 0)
    }

    @Test func `Small ones that are ready go together, the most urgent first, and large ones alone`() {
        var queue = Queue(patience: .seconds(60))
        queue.add("ahead", waiter: 1, id: 1, priority: .readahead, bytes: 10, now: .zero)
        queue.add("large", waiter: 2, id: 2, priority: .readahead, now: .zero)
        queue.add("small", waiter: 3, id: 3, priority: .demand, bytes: 10, now: .zero)
        queue.add("big", waiter: 4, id: 4, priority: .readahead, bytes: FetchBatch.maximumBytes - 15, now: .zero)
        for index in 0..<100 {
            queue.add("n\(index)", waiter: 5, id: UInt64(10 + index), priority: .background, bytes: 0, now: .zero)
        }
        guard case .fetch(let first) = queue.next(now: .zero), case .fetch(let second) = queue.next(now: .zero),
            case .fetch(let third) = queue.next(now: .zero, lowest: .readahead)
        else {
            Issue.record("nothing to fetch")
            return
        }
        // The third would not fit, and nothing overtakes it.
        #expect(first == ["small", "ahead"])
        #expect(second == ["large"])
        #expect(third == ["big"])
        guard case .fetch(let rest) = queue.next(now: .zero) else {
            Issue.record("nothing left")
            return
        }
        #expect(rest.count == FetchBatch.maximumBlocks && rest.first == "n0")
        guard case .idle = queue.next(now: .zero, lowest: .readahead) else {
            Issue.record("background goes although it may not")
            return
        }
        queue.retryAlone("n5")
        #expect(fetched(&queue) == "n5")
    }
}
