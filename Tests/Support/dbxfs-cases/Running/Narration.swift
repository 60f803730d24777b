/// What each operation of a case does, for a person to read.
struct Narration {
    private let batch: Batch

    init(_ batch: Batch) { self.batch = batch }

    func print() {
        for plan in batch.plans {
            do { try tell(plan) } catch { Swift.print("    \(error)") }
        }
    }

    /// On devices of its own, up to where sync begins.
    private func tell(_ plan: CasePlan) throws {
        let world = try World(seed: batch.schedule)
        try CaseProgram.makeDirectory(of: plan, on: world.here)
        var image = try TreeImage(of: plan, on: world.here)
        for part in CasePlan.Part.allCases {
            let device = part == .there ? world.there : world.here
            if part != .base { image = try TreeImage(of: plan, on: device) }
            for operation in plan.operations(of: part) {
                try CaseProgram(plan, on: device).run(operation)
                let after = try TreeImage(of: plan, on: device)
                let changes = after.changes(since: image)
                Swift.print("    \(operation)  \(changes.isEmpty ? "nothing" : changes.joined(separator: ", "))")
                image = after
            }
            if part == .base { try world.settle() }
        }
    }
}
