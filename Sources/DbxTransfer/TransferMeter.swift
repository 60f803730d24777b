package import DbxLocalStore
package import DbxModel
import Synchronization

/// Counts what crosses the wire in blocks, and how fast. Sendable; the lock is held for the arithmetic only.
package final class TransferMeter: Sendable {
    /// Since the start; they only grow.
    package struct Totals: Hashable, Sendable {
        package var fetchedBlocks: Int64 = 0
        package var fetchedBytes: Int64 = 0
        package var uploadedBlocks: Int64 = 0
        package var uploadedBytes: Int64 = 0
    }

    private struct State: Sendable {
        var totals = Totals()
        var downloads = Rate()
        var uploads = Rate()
        var content = UploadGauge()
    }

    private let state = Mutex(State())
    private let time: any TimeSource

    package init(time: any TimeSource) { self.time = time }

    package var totals: Totals { state.withLock { $0.totals } }

    package func countFetched(bytes: Int) {
        let now = time.monotonic()
        state.withLock { state in
            state.totals.fetchedBlocks += 1
            state.totals.fetchedBytes += Int64(bytes)
            state.downloads.add(bytes, now: now)
        }
    }

    package func countUploaded(bytes: Int) {
        let now = time.monotonic()
        state.withLock { state in
            state.totals.uploadedBlocks += 1
            state.totals.uploadedBytes += Int64(bytes)
            state.uploads.add(bytes, now: now)
        }
    }

    // MARK: Content on its way up

    func beginUpload(of bytes: Int64) {
        let now = time.monotonic()
        state.withLock { $0.content.begin(bytes, now: now) }
    }

    func countSent(content bytes: Int64) {
        let now = time.monotonic()
        state.withLock { $0.content.sent(bytes, now: now) }
    }

    /// `left` of what was to be sent was not.
    func endUpload(left bytes: Int64) {
        let now = time.monotonic()
        state.withLock { $0.content.end(left: bytes, now: now) }
    }

    package var uploadProgress: UploadProgress {
        let now = time.monotonic()
        return state.withLock { state in
            UploadProgress(
                outstandingBytes: state.content.outstandingBytes, bytesPerSecond: state.content.perSecond(now: now),
                idleSince: state.content.idleSince)
        }
    }

    /// Bytes per second over the last seconds.
    package func rates() -> (upload: Int64, download: Int64) {
        let now = time.monotonic()
        return state.withLock { ($0.uploads.perSecond(now: now), $0.downloads.perSecond(now: now)) }
    }
}

/// A mean over the last ten seconds, in buckets of one.
private struct Rate: Sendable {
    private static let seconds: Int64 = 10
    private var buckets: [(second: Int64, bytes: Int64)] = []
    private var startedAt: Duration?

    mutating func add(_ bytes: Int, now: Duration) {
        forgetOld(now)
        let second = now.components.seconds
        if buckets.isEmpty { startedAt = now }
        if let last = buckets.last, last.second == second {
            buckets[buckets.count - 1].bytes += Int64(bytes)
        } else {
            buckets.append((second, Int64(bytes)))
        }
    }

    /// After a pause the mean is taken from the pause's end, at least one second.
    mutating func perSecond(now: Duration) -> Int64 {
        forgetOld(now)
        guard let startedAt, !buckets.isEmpty else { return 0 }
        let span = min(max((now - startedAt).components.seconds, 1), Self.seconds)
        return buckets.reduce(0) { $0 + $1.bytes } / span
    }

    private mutating func forgetOld(_ now: Duration) {
        buckets.removeAll { now.components.seconds - $0.second >= Self.seconds }
    }
}
