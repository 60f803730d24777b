/// The command that runs a batch again.
enum Replay {
    static func command(_ batch: Batch) -> String {
        let schedule = "--schedule \(batch.schedule)"
        guard let first = batch.plans.first else { return "" }
        guard batch.plans.count == 1 else {
            return
                "dbxfs-cases --from \(first.number) --cases \(batch.plans.count) --batch \(batch.plans.count) \(schedule)"
        }
        let dropped = CasePlan(number: first.number).operations.filter { !first.operations.contains($0) }
        let drop = dropped.isEmpty ? "" : " --drop " + dropped.map(\.description).joined(separator: ",")
        return "dbxfs-cases --seed \(first.number) \(schedule)\(drop)"
    }
}
