import Foundation
import Glibc

/// Runs batch after batch and reports those that fail, each with the smallest case that was found.
struct Campaign {
    let from: UInt64
    let cases: UInt64
    let batch: UInt64
    let schedule: UInt64?
    let minutes: Double?
    let shrinks: Bool
    private var failures = 0
    private var conflicts = 0

    /// More failures than that are the same one.
    private static let mostFailures = 20
    /// How often it says how far it is.
    private static let casesPerWord: UInt64 = 10_000

    init(from: UInt64, cases: UInt64, batch: UInt64, schedule: UInt64?, minutes: Double?, shrinks: Bool) {
        self.from = from
        self.cases = cases
        self.batch = batch
        self.schedule = schedule
        self.minutes = minutes
        self.shrinks = shrinks
    }

    /// Whether all cases went well.
    mutating func run() -> Bool {
        let start = Date()
        let end = minutes.map { start.addingTimeInterval($0 * 60) }
        var done: UInt64 = 0
        var nextWord = Self.casesPerWord
        while done < cases, failures < Self.mostFailures, end.map({ Date() < $0 }) ?? true {
            let count = min(batch, cases - done)
            run(from: from + done, count)
            done += count
            if done >= nextWord {
                say(summary(done))
                nextWord += Self.casesPerWord
            }
        }
        say("\(summary(done)), in \(Int(Date().timeIntervalSince(start))) seconds")
        return failures == 0
    }

    private mutating func run(from first: UInt64, _ count: UInt64) {
        let batch = Batch(
            plans: (first..<first + count).map { CasePlan(number: $0) }, schedule: schedule ?? first)
        let result = Watch.during(Replay.command(batch)) { batch.result() }
        guard case .failed(let violation) = result else {
            if case .well(let number) = result { conflicts += number }
            return
        }
        failures += 1
        say("failed \(violation)")
        say("    replay: \(Replay.command(batch))")
        guard shrinks else { return }
        let smallest = Shrinker(batch, violation).run()
        if smallest.plans.count == 1 {
            Narration(smallest).print()
            say("    \(smallest.result().violation.map(\.description) ?? "")")
        }
        say("    the smallest that fails: \(Replay.command(smallest))")
    }

    private func summary(_ done: UInt64) -> String {
        "\(done) cases, \(conflicts) of them with a conflict, \(failures) batches failed"
    }

    private func say(_ text: String) {
        print(text)
        fflush(nil)
    }
}
