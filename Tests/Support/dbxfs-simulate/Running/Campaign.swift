import Foundation
import Glibc

/// Runs many seeds in several processes and reports those that fail, each with the shortest plan that was found.
final class Campaign {
    private let from: UInt64
    private let seeds: UInt64
    private let end: Date?
    private let jobs: Int
    private let planted: Planted?
    private let shrinks: Bool
    private let directory: String
    private var failures: [(seed: UInt64, text: String)] = []
    private var done: UInt64 = 0
    private var seconds: Int64 = 0
    private var nextProcessor = 0

    /// A process is replaced after so many seeds: what a run leaves behind in memory goes with it.
    private static let seedsPerProcess: UInt64 = 50
    /// More failures than that are the same one.
    private static let mostFailures = 20

    init(from: UInt64, seeds: UInt64, minutes: Double?, jobs: Int, planted: Planted?, shrinks: Bool) throws {
        self.from = from
        self.seeds = seeds
        end = minutes.map { Date(timeIntervalSinceNow: $0 * 60) }
        self.jobs = jobs
        self.planted = planted
        self.shrinks = shrinks
        directory = "/tmp/dbxfs-simulate-\(getpid())"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    /// Whether all seeds went well.
    func run() throws -> Bool {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let start = Date()
        var next = from
        var workers: [Worker] = []
        while true {
            while workers.count < jobs, next < from + seeds, !isEnough {
                let count = min(Self.seedsPerProcess, from + seeds - next)
                workers.append(try newWorker(from: next, seeds: count))
                next += count
            }
            guard !workers.isEmpty else { break }
            usleep(20_000)
            var left: [Worker] = []
            for worker in workers {
                if !worker.isRunning {
                    try take(worker, &left)
                } else {
                    left.append(worker)
                }
            }
            workers = left
        }
        let elapsed = Date().timeIntervalSince(start)
        print("\(done) seeds, \(failures.count) failed, \(seconds) simulated seconds in \(Int(elapsed)) seconds")
        return failures.isEmpty
    }

    private func newWorker(from: UInt64, seeds: UInt64) throws -> Worker {
        nextProcessor += 1
        let arguments = ["--worker", "--from", "\(from)", "--seeds", "\(seeds)", "--processor", "\(nextProcessor)"]
        return try Worker(seeds: from...(from + seeds - 1), arguments, planted: planted, directory: directory)
    }

    private var isEnough: Bool {
        failures.count >= Self.mostFailures || (planted != nil && !failures.isEmpty) || end.map { $0 < Date() } ?? false
    }

    /// What a process that has ended says; after a failure another one does the rest of its seeds.
    private func take(_ worker: Worker, _ left: inout [Worker]) throws {
        let report = worker.report()
        done += report.passed
        seconds += report.simulatedSeconds
        guard let failed = report.failed else { return }
        done += 1
        failures.append((failed, report.text))
        print("seed \(failed): \(report.text)")
        print(
            "    replay: dbxfs-simulate --trace \(replay(failed, Shrinker(failed, report.text, planted, directory), report.text))"
        )
        fflush(nil)
        let rest = worker.seeds.upperBound - failed
        if rest > 0, !isEnough {
            left.append(try newWorker(from: failed + 1, seeds: rest))
        }
    }

    private func replay(_ seed: UInt64, _ shrinker: Shrinker, _ text: String) -> String {
        let bug = planted.map { " --plant \($0)" } ?? ""
        guard shrinks, planted == nil else { return "--seed \(seed)\(bug)" }
        let dropped = shrinker.run().map(String.init).joined(separator: ",")
        return "--seed \(seed)\(bug)" + (dropped.isEmpty ? "" : " --drop \(dropped)")
    }
}

/// One process that runs some seeds.
final class Worker {
    private let process = Process()
    private let output: String
    let seeds: ClosedRange<UInt64>

    struct Report {
        var passed: UInt64 = 0
        var simulatedSeconds: Int64 = 0
        var failed: UInt64?
        var text = ""
    }

    init(seeds: ClosedRange<UInt64>, _ arguments: [String], planted: Planted?, directory: String) throws {
        self.seeds = seeds
        output = "\(directory)/\(UUID().uuidString)"
        guard FileManager.default.createFile(atPath: output, contents: nil),
            let file = FileHandle(forWritingAtPath: output)
        else { throw Violation("cannot write \(output)") }
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments + (planted.map { ["--plant", $0.rawValue] } ?? [])
        process.standardOutput = file
        process.standardError = file
        try process.run()
    }

    var isRunning: Bool { process.isRunning }
    func wait() { process.waitUntilExit() }

    func report() -> Report {
        var report = Report()
        let lines = ((try? String(contentsOfFile: output, encoding: .utf8)) ?? "").split(separator: "\n")
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count > 1, let seed = UInt64(words[1]) else { continue }
            switch words[0] {
            case "ok":
                report.passed += 1
                report.simulatedSeconds += line.split(separator: " ").last.flatMap { Int64($0) } ?? 0
            case "failed":
                report.failed = seed
                report.text = words.count > 2 ? String(words[2]) : ""
            default: break
            }
        }
        if report.failed == nil, report.passed < seeds.count {
            report.failed = seeds.lowerBound + report.passed
            report.text = "the process died (status \(process.terminationStatus)): \(lines.last ?? "")"
        }
        try? FileManager.default.removeItem(atPath: output)
        return report
    }
}
