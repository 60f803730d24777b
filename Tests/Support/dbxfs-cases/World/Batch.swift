import DbxSyncKit
import DbxTestKit

/// Some cases that share devices, a server and a schedule, each in a directory of its own.
struct Batch {
    var plans: [CasePlan]
    var schedule: UInt64

    /// What each case went through.
    struct Outcome {
        var base: TreeImage
        var here: TreeImage
        var there: TreeImage
        var after: [(name: String, image: TreeImage)]
    }

    /// Throws what went wrong first. Returned is how many cases ended with a conflict.
    func run() throws -> Int {
        let world = try World(seed: schedule)
        let outcomes = try outcomes(in: world)
        for (plan, outcome) in zip(plans, outcomes) {
            try Verdict(
                plan: plan, base: outcome.base, here: outcome.here, there: outcome.there, after: outcome.after
            ).check()
        }
        try world.check()
        return outcomes.count { $0.after[0].image.hasConflict }
    }

    private func outcomes(in world: World) throws -> [Outcome] {
        for plan in plans {
            try CaseProgram.makeDirectory(of: plan, on: world.here)
            try CaseProgram(plan, on: world.here).run(.base)
        }
        try world.settle()
        let base = try images(on: world.desk)
        for plan in plans {
            try CaseProgram(plan, on: world.here).run(.here)
            try CaseProgram(plan, on: world.there).run(.there)
        }
        let (here, there) = (try images(on: world.here), try images(on: world.there))
        try Schedule(seed: schedule).run(in: world)
        try world.settle()
        let after = try world.all.map { (name: $0.name, images: try images(on: $0)) }
        return plans.indices.map { index in
            Outcome(
                base: base[index], here: here[index], there: there[index],
                after: after.map { (name: $0.name, image: $0.images[index]) })
        }
    }

    private func images(on device: TestDevice) throws -> [TreeImage] {
        try plans.map { try TreeImage(of: $0, on: device) }
    }

    enum Result {
        case well(conflicts: Int)
        case failed(Violation)

        var violation: Violation? { if case .failed(let violation) = self { violation } else { nil } }
    }

    func result() -> Result {
        do {
            return .well(conflicts: try run())
        } catch let violation as Violation {
            return .failed(violation)
        } catch {
            return .failed(Violation("error", "\(error)"))
        }
    }
}
