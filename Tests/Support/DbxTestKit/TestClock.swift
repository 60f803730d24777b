import Foundation

/// The wall clock of programs that are started with `environment`: off by as much as was set last, from one moment to the
/// next. Used by one test at a time.
package final class TestClock {
    private let directory = TemporaryDirectory()
    private var path: String { directory.path + "/clock" }

    package init() throws { try set(secondsOff: 0) }

    package var environment: [String: String] {
        ["LD_PRELOAD": ServerProcess.productsDirectory + "/libdbxfs-test-clock.so", "DBXFS_TEST_CLOCK": path]
    }

    /// In place, for programs have mapped the file.
    package func set(secondsOff: Int64) throws {
        if !FileManager.default.fileExists(atPath: path) { try Data(count: 8).write(to: URL(filePath: path)) }
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.write(contentsOf: withUnsafeBytes(of: secondsOff) { Data($0) })
        try file.close()
    }

    package func set(daysOff: Int64) throws { try set(secondsOff: daysOff * 86_400) }
}
