import ArgumentParser
import CSimulation
import Foundation
import Glibc

/// The command: runs seeds, in other processes of the same program.
@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dbxfs-simulate",
        abstract: "Whole systems in one process, on simulated disks, networks and clocks.")

    @Option(help: "The first seed.") var from: UInt64 = 1
    @Option(help: "How many seeds.") var seeds: UInt64 = 100
    @Option(help: "Stop after so many minutes.") var minutes: Double?
    @Option(help: "How many processes at once.") var jobs = max(1, ProcessInfo.processInfo.activeProcessorCount)
    @Option(help: "Run this seed alone, here.") var seed: UInt64?
    @Option(help: "Without these steps of its plan: numbers joined by commas.") var drop = ""
    @Option(help: "With a bug of this name planted.") var plant: String?
    @Flag(help: "Print what happens.") var trace = false
    @Flag(help: "Print the plan of the seed.") var plan = false
    @Flag(help: "Do not look for a shorter plan that fails.") var noShrink = false
    @Flag(help: .hidden) var worker = false
    @Option(help: .hidden) var processor: Int32?

    func run() throws {
        let planted = try plant.map { name in
            guard let planted = Planted(rawValue: name) else {
                throw ValidationError("Bugs are: \(Planted.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return planted
        }
        try Self.makeDeterministic()
        signal(SIGPIPE, SIG_IGN)
        sim_on_deadlock { threads in
            print("all threads wait for ever: \(threads.map { String(cString: $0) } ?? "")")
            fflush(nil)
            _exit(4)
        }
        if let processor { sim_stay_on_processor(processor) }
        if let seed {
            try runHere(seed, planted)
        } else if worker {
            work(planted)
        } else {
            let campaign = try Campaign(
                from: from, seeds: seeds, minutes: minutes, jobs: jobs, planted: planted, shrinks: !noShrink)
            guard try campaign.run() else { throw ExitCode(3) }
        }
    }

    /// Sets and dictionaries must have the same order each time: the runtime reads that from the environment, at start.
    private static func makeDeterministic() throws {
        let name = "SWIFT_DETERMINISTIC_HASHING"
        if getenv(name) != nil { return }
        setenv(name, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", &arguments)
        throw ValidationError("cannot start again: errno \(errno)")
    }

    private func runHere(_ seed: UInt64, _ planted: Planted?) throws {
        let dropped = Set(drop.split(separator: ",").compactMap { Int($0) })
        if plan {
            var all = Plan(seed: seed)
            all.drop(dropped)
            for step in all.steps { print("[\(step.index)] \(step.at) \(step.action)") }
        }
        let result = SeedRun(seed: seed, dropped: dropped, planted: planted, printsTrace: trace).run()
        Self.report(result)
        if result.failure != nil { throw ExitCode(3) }
    }

    private static func report(_ result: SeedResult) {
        if let failure = result.failure {
            print("failed \(result.seed) \(failure)")
        } else {
            print("ok \(result.seed) \(String(result.hash, radix: 16)) \(result.simulatedSeconds)")
        }
        fflush(nil)
    }

    private func work(_ planted: Planted?) {
        var seed = from
        for _ in 0..<seeds {
            print("run \(seed)")
            fflush(nil)
            let result = SeedRun(seed: seed, planted: planted).run()
            Self.report(result)
            if result.failure != nil { _exit(3) }
            seed += 1
        }
    }
}
