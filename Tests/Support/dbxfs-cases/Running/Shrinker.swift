/// Looks for less that fails in the same way: one case alone, then fewer of its operations. A smaller batch meets another
/// order of pulls and pushes, so several schedules are tried.
struct Shrinker {
    private let batch: Batch
    private let violation: Violation

    /// How many schedules a smaller batch gets to fail in.
    private static let mostSchedules: UInt64 = 12

    init(_ batch: Batch, _ violation: Violation) {
        self.batch = batch
        self.violation = violation
    }

    func run() -> Batch {
        let alone = batch.plans.filter { $0.number == violation.number }
        var smallest = (alone.isEmpty ? nil : failing(alone)) ?? halved()
        guard let plan = smallest.plans.first, smallest.plans.count == 1 else { return smallest }
        var isSmaller = true
        var left = plan
        while isSmaller {
            isSmaller = false
            for operation in left.operations.reversed() {
                let fewer = left.without([operation])
                guard let found = failing([fewer], first: smallest.schedule) else { continue }
                (left, smallest, isSmaller) = (fewer, found, true)
            }
        }
        return smallest
    }

    /// The neighbouring cases that are left when halves are left out as long as the rest fails.
    private func halved() -> Batch {
        var left = batch
        while left.plans.count > 1 {
            let middle = left.plans.count / 2
            let halves = [Array(left.plans[..<middle]), Array(left.plans[middle...])]
            guard let half = halves.lazy.compactMap({ failing($0, first: left.schedule) }).first else { break }
            left = half
        }
        return left
    }

    private func failing(_ plans: [CasePlan], first: UInt64? = nil) -> Batch? {
        let schedules = [first ?? batch.schedule] + (1...Self.mostSchedules)
        return schedules.lazy.map { Batch(plans: plans, schedule: $0) }.first { smaller in
            Watch.during(Replay.command(smaller)) { smaller.result().violation?.kind == violation.kind }
        }
    }
}
