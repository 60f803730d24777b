import Foundation

@main
struct DbxBench {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            let report = try run(options)
            print(options.printsJSON ? try report.json() : report.table())
        } catch {
            note("dbxbench: \(error)")
            exit(1)
        }
    }

    private static func run(_ options: Options) throws -> Report {
        let started = ContinuousClock.now
        let stage = try Stage(options)
        let interrupts = onInterrupt { stage.tearDown() }
        defer {
            interrupts.forEach { $0.cancel() }
            stage.tearDown()
        }
        try stage.setUp()
        var report = Report(subjects: stage.subjects.map(\.name) + stage.peers.map(\.rawValue), isQuick: options.isQuick)
        func isLate() -> Bool { (ContinuousClock.now - started).seconds > options.effort.limitSeconds }
        for workload in Workloads.all where options.wants(workload: workload.name) {
            if isLate() {
                report.skipped.append(workload.name)
                continue
            }
            note("\(workload.name) …")
            try run(workload, stage, options.effort, &report)
        }
        if let dbxfs = stage.dbxfs {
            for name in DbxFigures.names where options.wants(workload: name) {
                if isLate() {
                    report.skipped.append(name)
                    continue
                }
                note("\(name) …")
                for figure in try DbxFigures.run(name, dbxfs, options.effort) { report.add(figure, "dbxfs") }
            }
        }
        for peer in stage.peers {
            for name in PeerPair.workloads where options.wants(workload: name) {
                note("\(name), \(peer) …")
                let pair = try PeerPair(peer, root: "\(stage.root)/\(peer)-\(name)")
                let run = name == "wire" ? WireBytes.run : SizeFigures.run
                for figure in try run(pair, options.effort) { report.add(figure, pair.name) }
            }
        }
        note(String(format: "done in %.0f s", (ContinuousClock.now - started).seconds))
        return report
    }

    /// Runs one workload on every subject in turn, each round beginning with another.
    private static func run(
        _ workload: any Workload, _ stage: Stage, _ effort: Effort, _ report: inout Report
    ) throws {
        for round in 0..<effort.rounds {
            let order = stage.subjects.indices.map { stage.subjects[($0 + round) % stage.subjects.count] }
            for subject in order {
                let directory = "\(subject.directory)/\(workload.name)-\(round)"
                try makeDirectory(directory)
                // Nobody pays for the pages that the one before left to be written.
                try Command.run(["sync", "-f", stage.root])
                do {
                    for figure in try workload.run(in: directory, effort, stage) { report.add(figure, subject.name) }
                } catch {
                    throw Failure("\(workload.name) on \(subject.name): \(error)")
                }
                try? FileManager.default.removeItem(atPath: directory)
                // What dbxfs still has to upload must not slow the next one down.
                if subject.name == "dbxfs" { try stage.dbxfs?.first.synchronize() }
            }
        }
    }

    private static func onInterrupt(_ body: @escaping @Sendable () -> Void) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                body()
                exit(130)
            }
            source.resume()
            return source
        }
    }
}

/// A line of progress.
func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
