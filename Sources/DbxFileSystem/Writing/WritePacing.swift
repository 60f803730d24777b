import DbxLocalStore

/// How long writers wait as staging fills. Pure.
///
/// Room comes free a file's snapshot at a time, when its commit is answered. Until the next one is to be expected the
/// writers may take what is left, so each byte waits for its part of that time: the last room is taken about when there is
/// more, and nobody runs into the limit and stands there for all of an upload.
struct WritePacing {
    /// Below this share of the limit nobody waits.
    private static let slowsFrom = 0.75
    /// Where nothing goes up for so long, waiting does not help.
    private static let patience: Duration = .seconds(5)
    private static let longestDelay: Duration = .seconds(30)

    /// When the writers have waited for all that they have written.
    private(set) var due: Duration = .zero
    /// Since when staging has been so full.
    private var fullSince: Duration?
    private var freedAt: Duration = .zero
    /// From the end of uploads to the answer of their commit: what it took, the longest of the last few times.
    private var commitTime: Duration = .milliseconds(500)

    /// A write was recorded. `uploads`: nil where nothing can go up now.
    mutating func wrote(_ load: StagingLoad, _ uploads: UploadProgress?, now: Duration) {
        guard Self.isSlow(load), let uploads else {
            fullSince = nil
            return
        }
        let since = fullSince ?? now
        fullSince = since
        guard let wait = timeToRoom(uploads, since: since, now: now) else { return }
        let room = max(load.freeBytes, load.addedBytes, 1)
        let part = wait * (Double(load.addedBytes) / Double(room))
        due = min(max(due, now) + part, now + min(wait, Self.longestDelay))
    }

    /// A commit was answered. `load`: nil where staging is not half full.
    mutating func freed(_ load: StagingLoad?, _ uploads: UploadProgress?, now: Duration) {
        if let ended = uploads?.idleSince, ended > freedAt {
            commitTime = min(max(now - ended, commitTime * 0.75, .milliseconds(50)), .seconds(10))
        }
        freedAt = now
        guard load.map(Self.isSlow) != true else { return }
        fullSince = nil
        due = .zero
    }

    /// Nobody waits any more for what was written so far.
    mutating func letGo() { due = .zero }

    private static func isSlow(_ load: StagingLoad) -> Bool {
        Double(load.usedBytes) >= slowsFrom * Double(load.limitBytes)
    }

    /// Nil where none is to be expected.
    private func timeToRoom(_ uploads: UploadProgress, since: Duration, now: Duration) -> Duration? {
        if uploads.outstandingBytes > 0 {
            return .seconds(Double(uploads.outstandingBytes) / max(1, uploads.bytesPerSecond)) + commitTime
        }
        let waited = now - max(since, freedAt, uploads.idleSince ?? .zero)
        guard waited < Self.patience + commitTime else { return nil }
        // What is late already will be later in proportion.
        return max(commitTime - waited, waited * 0.25, .milliseconds(20))
    }
}
