import Foundation

/// One measured number.
struct Figure {
    enum Unit: String {
        case operations = "ops/s"
        case megabytes = "MB/s"
        case seconds = "s"
        case milliseconds = "ms"
        case bytes = "B"
        case ratio = "B/B"
        case secondsPerGigabyte = "s/GB"

        /// Whether more is better.
        var isRate: Bool { self == .operations || self == .megabytes }
    }

    let name: String
    let unit: Unit
    let value: Double
}

/// The same work on every subject. `run` gets an empty directory on it.
protocol Workload: Sendable {
    var name: String { get }
    func run(in directory: String, _ effort: Effort, _ stage: Stage) throws -> [Figure]
}

enum Workloads {
    static let all: [any Workload] = [
        StatWorkload(), NamesWorkload(), SmallFilesWorkload(), SequentialWorkload(), RandomReadWorkload(),
        ListingWorkload(), GitWorkload(),
    ]
}

/// System calls that throw, so that a benchmark never times a failure.
enum File {
    static func open(_ path: String, _ flags: Int32, _ mode: mode_t = 0o644) throws -> Int32 {
        let file = Glibc.open(path, flags | O_CLOEXEC, mode)
        guard file >= 0 else { throw error("open", path) }
        return file
    }

    static func check(_ result: Int32, _ call: String, _ path: String) throws {
        guard result == 0 else { throw error(call, path) }
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try open(path, O_WRONLY | O_CREAT | O_TRUNC)
        defer { close(file) }
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw error("write", path) }
    }

    static func error(_ call: String, _ path: String) -> Failure {
        Failure("\(call) \(path): \(String(cString: strerror(errno)))")
    }
}

/// Time of `body` in seconds.
func time(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    return try clock.measure(body).seconds
}

/// Calls `body` with 0, 1, 2 … until `seconds` have passed or `limit` is reached, and says how often per second.
func rate(seconds: Double, limit: Int = .max, _ body: (Int) throws -> Void) rethrows -> (perSecond: Double, count: Int)
{
    let start = ContinuousClock.now
    var count = 0
    var passed = 0.0
    while count < limit && passed < seconds {
        // The clock is read once in 16 calls: it costs as much as the fastest of them.
        for _ in 0..<min(16, limit - count) {
            try body(count)
            count += 1
        }
        passed = (ContinuousClock.now - start).seconds
    }
    return (Double(count) / max(passed, 1e-9), count)
}
