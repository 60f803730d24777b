/// Decides how long to wait for the next byte: pure, so that time is the caller's.
struct SilenceWatch {
    enum Step: Hashable {
        case wait(Duration)
        /// The limit has passed.
        case timedOut
        /// A new connection works: this one leads nowhere any more.
        case lost
    }

    var limit: Duration
    private let notice: HTTPConnection.SilenceNotice?
    private var lastByteAt: Duration
    private var transferred = 0
    private var hasNotified = false
    /// What `notice.lost` had counted when the silence was noticed.
    private var answersBefore: UInt64 = 0

    private static let longestWait = Duration.seconds(60)
    /// How often a silent request looks whether its connection is lost.
    private static let lookAgain = Duration.milliseconds(500)
    /// An answer that has begun is not given up for a pause as radio links make them.
    private static let longestPause = Duration.seconds(8)

    init(now: Duration, limit: Duration, notice: HTTPConnection.SilenceNotice?) {
        self.limit = limit
        self.notice = notice
        lastByteAt = now
    }

    /// The request is held back here: its silence says nothing.
    mutating func excuse(now: Duration) { lastByteAt = now }

    /// What to do next. `transferred`: bytes in both directions, `received` of them in the answer.
    mutating func step(now: Duration, transferred: Int, received: Int) -> Step {
        if transferred != self.transferred {
            self.transferred = transferred
            lastByteAt = now
            hasNotified = false
        }
        let silent = now - lastByteAt
        guard silent < limit else { return .timedOut }
        let left = min(limit - silent, Self.longestWait)
        guard let notice else { return .wait(left) }
        if !hasNotified {
            guard silent >= notice.after else { return .wait(min(notice.after - silent, left)) }
            hasNotified = true
            answersBefore = notice.lost?.count ?? 0
            notice.notify()
        }
        guard let lost = notice.lost else { return .wait(left) }
        if lost.count != answersBefore, received == 0 || silent >= Self.longestPause { return .lost }
        return .wait(min(Self.lookAgain, left))
    }
}
