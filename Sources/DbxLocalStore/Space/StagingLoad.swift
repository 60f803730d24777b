/// How full staging is after a write. A value.
package struct StagingLoad: Hashable, Sendable {
    /// By how much the write has made it fuller.
    package var addedBytes: Int64
    package var usedBytes: Int64
    package var limitBytes: Int64

    package init(addedBytes: Int64, usedBytes: Int64, limitBytes: Int64) {
        self.addedBytes = addedBytes
        self.usedBytes = usedBytes
        self.limitBytes = limitBytes
    }

    package var freeBytes: Int64 { max(0, limitBytes - usedBytes) }
}

/// How uploads are getting on. A value.
package struct UploadProgress: Hashable, Sendable {
    /// Content of files that are on their way which the server does not have yet.
    package var outstandingBytes: Int64
    /// How much goes up in a second while anything is on its way.
    package var bytesPerSecond: Double
    /// Since when nothing is on its way, on the monotonic clock; nil while something is, and where nothing ever was.
    package var idleSince: Duration?

    package init(outstandingBytes: Int64, bytesPerSecond: Double, idleSince: Duration?) {
        self.outstandingBytes = outstandingBytes
        self.bytesPerSecond = bytesPerSecond
        self.idleSince = idleSince
    }
}

extension LocalStore {
    /// How full staging is after a write, before which it held `before` bytes: of its limit, or of what the disk has for it
    /// where that is less. Nil where it is not half full, which nobody needs to know, and while it has no limit.
    package func stagingLoad(since before: Int64) -> StagingLoad? {
        guard stagingBytes > min(configuration.stagingLimitBytes, stagingCeiling) / 2, !isStagingLimitLifted else {
            return nil
        }
        // What is here only takes up the disk's room, not that of uploads.
        let localOnly = (try? localOnlyBytes()) ?? 0
        let used = stagingBytes - localOnly
        let limit = min(configuration.stagingLimitBytes, stagingCeiling - localOnly)
        guard used > limit / 2 else { return nil }
        return StagingLoad(addedBytes: max(0, stagingBytes - before), usedBytes: used, limitBytes: limit)
    }
}
