/// Decides how long to wait for the next byte: pure, so that time is the caller's.
struct SilenceWatch {
    var limit: Duration
    private let notice: HTTPConnection.SilenceNotice?
    private var lastByteAt: Duration
    private var transferred = 0
    private var hasNotified = false

    private static let longestWait = Duration.seconds(60)

    init(now: Duration, limit: Duration, notice: HTTPConnection.SilenceNotice?) {
        self.limit = limit
        self.notice = notice
        lastByteAt = now
    }

    /// The request is held back here: its silence says nothing.
    mutating func excuse(now: Duration) { lastByteAt = now }

    /// How long to wait at most until the next step; nil when the limit has passed.
    mutating func step(now: Duration, transferred: Int) -> Duration? {
        if transferred != self.transferred {
            self.transferred = transferred
            lastByteAt = now
            hasNotified = false
        }
        let silent = now - lastByteAt
        guard silent < limit else { return nil }
        guard let notice, !hasNotified else { return min(limit - silent, Self.longestWait) }
        if silent >= notice.after {
            hasNotified = true
            notice.notify()
            return min(limit - silent, Self.longestWait)
        }
        return min(notice.after - silent, limit - silent)
    }
}
