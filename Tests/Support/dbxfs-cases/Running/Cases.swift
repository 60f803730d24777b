import ArgumentParser
import Foundation
import Glibc

/// The command: runs cases by their numbers.
@main
struct Cases: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dbxfs-cases",
        abstract: "Small cases for sync: what two computers begin with, what each does, and what must come of it.")

    @Option(help: "The first case.") var from: UInt64 = 1
    @Option(help: "How many cases.") var cases: UInt64 = 1_000
    @Option(help: "How many cases share their devices.") var batch: UInt64 = 150
    @Option(help: "Stop after so many minutes.") var minutes: Double?
    @Option(help: "Run this case alone, and print what happens in it.") var seed: UInt64?
    @Option(help: "The seed of pulls, pushes and lost answers; else the batch's first case.") var schedule: UInt64?
    @Option(help: "Without these operations of the case: words such as here:1, joined by commas.") var drop = ""
    @Flag(help: "Do not look for a shorter case that fails.") var noShrink = false

    func validate() throws {
        guard batch > 0 else { throw ValidationError("A batch has at least one case.") }
    }

    func run() throws {
        try Self.makeDeterministic()
        if let seed {
            try runHere(seed)
        } else {
            var campaign = Campaign(
                from: from, cases: cases, batch: batch, schedule: schedule, minutes: minutes, shrinks: !noShrink)
            guard campaign.run() else { throw ExitCode(3) }
        }
    }

    private func runHere(_ seed: UInt64) throws {
        let dropped = try drop.split(separator: ",").map { word in
            guard let operation = CasePlan.Operation(word) else { throw ValidationError("“\(word)” is no operation.") }
            return operation
        }
        let plan = CasePlan(number: seed).without(Set(dropped))
        let batch = Batch(plans: [plan], schedule: schedule ?? seed)
        Narration(batch).print()
        guard let violation = batch.result().violation else { return print("ok \(seed)") }
        print("failed \(violation)")
        throw ExitCode(3)
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
}
