import Testing

@testable import DbxTransfer

@Suite("Fetch queue")
struct FetchQueueTests {
    private typealias Queue = FetchQueue<String, Int>

    private func fetched(_ queue: inout Queue, now: Duration = .zero) -> String? {
        if case .fetch(let key) = queue.next(now: now) { key } else { nil }
    }

    @Test func `What somebody waits for goes before readahead, and the oldest first`() {
        var queue = Queue(patience: .seconds(60))
        queue.add("ahead", waiter: 1, id: 1, isDemanded: false, now: .zero)
        queue.add("first", waiter: 2, id: 2, isDemanded: true, now: .zero)
        queue.add("second", waiter: 3, id: 3, isDemanded: true, now: .zero)
        queue.add("later", waiter: 4, id: 4, isDemanded: false, now: .zero)
        queue.add("later", waiter: 5, id: 5, isDemanded: true, now: .zero)
        var order: [String] = []
        while let key = fetched(&queue) { order.append(key) }
        #expect(order == ["first", "second", "later", "ahead"])
        #expect(queue.finish("later") == [4, 5])
        #expect(queue.finish("later").isEmpty)
    }

    @Test func `A retry waits for its time and ends with its patience`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, isDemanded: true, now: .zero)
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

    @Test func `The last waiter to leave ends the fetch, and who comes meanwhile gets another`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, isDemanded: true, now: .zero)
        queue.add("a", waiter: 2, id: 2, isDemanded: true, now: .zero)
        #expect(fetched(&queue) == "a")
        let first = queue.cancel(1)
        #expect(first?.waiter == 1 && first?.abandoned == nil)
        let second = queue.cancel(2)
        #expect(second?.waiter == 2 && second?.abandoned == "a")
        let nobody = queue.cancel(2)
        #expect(nobody == nil)
        queue.add("a", waiter: 3, id: 3, isDemanded: true, now: .zero)
        #expect(fetched(&queue) == nil)
        queue.stopped("a")
        #expect(fetched(&queue) == "a")
        #expect(queue.finish("a") == [3])
        #expect(queue.count == 0)
    }

    @Test func `Leaving before the fetch began forgets it`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, isDemanded: true, now: .zero)
        let left = queue.cancel(1)
        #expect(left?.abandoned == nil)
        #expect(fetched(&queue) == nil)
        #expect(queue.count == 0)
    }

    @Test func `All can be told at once`() {
        var queue = Queue(patience: .seconds(2))
        queue.add("a", waiter: 1, id: 1, isDemanded: true, now: .zero)
        queue.add("b", waiter: 2, id: 2, isDemanded: true, now: .zero)
        #expect(fetched(&queue) == "a")
        let all = queue.cancelAll()
        #expect(all.waiters == [1, 2] && all.abandoned == ["a"])
        queue.stopped("a")
        #expect(queue.count == 0)
    }
}
