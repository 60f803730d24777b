/// What statvfs(3) tells, in bytes.
package struct FileSystemStatistics: Hashable, Sendable {
    package var totalBytes: Int64
    package var freeBytes: Int64

    package init(totalBytes: Int64, freeBytes: Int64) {
        self.totalBytes = totalBytes
        self.freeBytes = freeBytes
    }
}

/// The server's limit for this account, as last heard.
package struct StorageQuota: Hashable, Sendable {
    package var limitBytes: Int64
    package var usedBytes: Int64

    package init(limitBytes: Int64, usedBytes: Int64) {
        self.limitBytes = limitBytes
        self.usedBytes = usedBytes
    }

    var leftBytes: Int64 { max(0, limitBytes - usedBytes) }
}
