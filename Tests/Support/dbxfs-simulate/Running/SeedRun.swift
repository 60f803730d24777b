import CSimulation
import Foundation
import Glibc

/// How one seed went.
struct SeedResult {
    var seed: UInt64
    var hash: UInt64
    /// Nil: all was well.
    var failure: String?
    var simulatedSeconds: Int64
}

/// Runs one seed in this process.
struct SeedRun {
    let seed: UInt64
    var dropped: Set<Int> = []
    var planted: Planted?
    var printsTrace = false

    /// More than a run ever takes, by the real clock: whoever is stuck dies.
    private static let longestSeconds: UInt32 = 240

    func run() -> SeedResult {
        alarm(Self.longestSeconds)
        defer { alarm(0) }
        var plan = Plan(seed: seed)
        plan.drop(dropped)
        let trace = Trace(isPrinted: printsTrace)
        let root = "/dev/shm/dbxfs-simulate-\(getpid())"
        try? FileManager.default.removeItem(atPath: root)
        defer { try? FileManager.default.removeItem(atPath: root) }
        sim_begin(seed)
        var failure: String?
        do {
            let simulation = try Simulation(seed: seed, plan: plan, root: root, trace: trace, planted: planted)
            do { try simulation.run() } catch { failure = "\(error)" }
            // What is wrong now cannot be taken apart in order.
            if let failure { Self.finish(seed, failure, root) }
            simulation.shutdown()
        } catch {
            failure = "\(error)"
        }
        let seconds = sim_now() / 1_000_000_000
        let hash = trace.hash ^ sim_schedule_hash()
        sim_end()
        return SeedResult(seed: seed, hash: hash, failure: failure, simulatedSeconds: seconds)
    }

    /// Ends the process, whose threads may be in any state.
    private static func finish(_ seed: UInt64, _ failure: String, _ root: String) {
        print("failed \(seed) \(failure.replacing("\n", with: " "))")
        fflush(nil)
        try? FileManager.default.removeItem(atPath: root)
        _exit(3)
    }
}
