import CurlHTTP
import DbxClientAPI
import DbxWire
import Testing

@Suite("Retries")
struct RetryTests {
    @Test func `Delays grow to the limit, are spread from zero, and start again after success`() {
        var policy = RetryPolicy(first: .milliseconds(100), longest: .seconds(10))
        var limits: [Duration] = []
        for _ in 0..<12 { limits.append(policy.delayAfterFailure(random: .max)) }
        #expect(limits[0] > .milliseconds(99) && limits[0] <= .milliseconds(100))
        #expect(limits[3] > .milliseconds(790) && limits[3] <= .milliseconds(800))
        #expect(limits.last! > .seconds(9) && limits.last! <= .seconds(10))
        let shortest = policy.delayAfterFailure(random: 0)
        #expect(shortest == .zero)
        policy.succeeded()
        #expect(policy.delayAfterFailure(random: .max) <= .milliseconds(100))
        for _ in 0..<1_000 { _ = policy.delayAfterFailure(random: .max) }
        #expect(policy.delayAfterFailure(random: .max) <= .seconds(10))
    }

    @Test func `What the server asks for is obeyed, within reason`() {
        var policy = RetryPolicy(first: .milliseconds(100), longest: .seconds(10))
        #expect(policy.delayAfterFailure(retryAfter: .seconds(7), random: 0) == .seconds(7))
        #expect(policy.delayAfterFailure(retryAfter: .seconds(1_000_000), random: 0) == .seconds(100))
    }

    @Test func `A budget ends a storm and is earned back by successes`() {
        var budget = RetryBudget(capacity: 3)
        let leaves = (0..<5).map { _ in budget.spend() }
        #expect(leaves == [true, true, true, false, false])
        for _ in 0..<9 { budget.earn() }
        let tooEarly = budget.spend()
        #expect(!tooEarly)
        budget.earn()
        let later = [budget.spend(), budget.spend()]
        #expect(later == [true, false])
    }

    @Test func `Each failure has one meaning`() {
        func meaning(_ kind: ProblemKind) -> APIError.Meaning {
            APIError(.problem(Problem(kind: kind, detail: ""))).meaning
        }
        #expect(meaning(.unauthenticated) == .loggedOut)
        #expect(meaning(.unavailable) == .away)
        #expect(meaning(.tooManyRequests) == .busy && meaning(.internal) == .busy && meaning(.storageFull) == .busy)
        for kind in [ProblemKind.conflict, .quotaExceeded, .forbidden, .badRequest, .notFound, .invalidTree] {
            #expect(meaning(kind) == .refused)
            #expect(!APIError(.problem(Problem(kind: kind, detail: ""))).isRetryable)
        }
        #expect(APIError(.garbage("a login page")).meaning == .away)
        #expect(APIError(.transport(TransportError(.timeout, ""))).isRetryable)
        #expect(APIError(.transport(TransportError(.cancelled, ""))).meaning == .cancelled)
    }

    @Test func `Event streams are read whatever the pieces`() throws {
        let text =
            ": hello\n\nevent: change\nid: 7\ndata: {\"a\":1}\n\nevent:x\r\ndata:one\r\ndata: two\r\n\r\nretry: 3\n\ndata\n\n"
        let expected: [ServerSentEvents.Item] = [
            .comment, .event(type: "change", data: "{\"a\":1}"), .event(type: "x", data: "one\ntwo"),
            .event(type: "message", data: ""),
        ]
        for size in 1...text.utf8.count {
            var parser = ServerSentEvents()
            var items: [ServerSentEvents.Item] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                items += try parser.receive(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            #expect(items == expected)
        }
        var parser = ServerSentEvents()
        #expect(throws: ServerSentEvents.Failure.self) {
            for _ in 0..<300 { _ = try parser.receive(Array(repeating: UInt8(0x61), count: 1_024)) }
        }
    }
}
