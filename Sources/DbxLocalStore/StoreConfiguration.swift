/// Where a local store lies and what it may take. Limits are hard.
package struct StoreConfiguration: Sendable {
    /// Holds `state.db`, `lock` and `segments/`.
    package var directory: String
    package var cacheLimitBytes: Int64
    /// Bytes that wait for their upload.
    package var stagingLimitBytes: Int64
    /// What the disk keeps free whatever happens.
    package var freeSpaceFloorBytes: Int64

    package init(
        directory: String, cacheLimitBytes: Int64 = 10 << 30, stagingLimitBytes: Int64 = 20 << 30,
        freeSpaceFloorBytes: Int64 = 256 << 20
    ) {
        self.directory = directory
        self.cacheLimitBytes = cacheLimitBytes
        self.stagingLimitBytes = stagingLimitBytes
        self.freeSpaceFloorBytes = freeSpaceFloorBytes
    }
}
