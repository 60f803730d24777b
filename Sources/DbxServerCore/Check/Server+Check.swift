import DbxModel
import DbxServerStores

extension Server {
    /// Checks the database's files, all rows against each other, and every stored block against its name. Beside a
    /// serving process.
    package func check() throws(ServerError) -> CheckReport {
        try Self.administering {
            var report = CheckReport()
            report.beyondRepair += try metadata.damage().map { "the database: \($0)" }
            do {
                try metadata.read { try RowCheck(rows: $0).run(&report) }
                try ObjectCheck(metadata: metadata, objects: objects).run(&report)
                report.unreadableFiles = try metadata.read { try FilePaths(rows: $0).ofLostBlocks() }
            } catch StoreError.corrupt(let what), StoreError.badRow(let what) {
                report.beyondRepair.append("rows cannot be read: \(what)")
            }
            return report
        }
    }

    /// Mends what can be mended, and checks again. Only while no process serves the data. Deletes nothing that a person
    /// made: damaged objects are put aside, lost nodes get a name in the root of their tree.
    package func repair() throws(ServerError) -> CheckReport {
        try Self.administering {
            var repairs: [String] = []
            if try !metadata.damage().isEmpty {
                do {
                    try metadata.rebuildIndexes()
                } catch StoreError.corrupt, StoreError.badRow {
                    return try check()
                }
                repairs.append("indexes of the database made anew")
                // Nothing is derived from rows that may be others than were written.
                guard try metadata.damage().isEmpty else { return try check() }
            }
            let staged = try objects.removeStaged()
            if staged > 0 { repairs.append("\(staged) unfinished uploads removed") }
            repairs += try metadata.write { try RowRepair(rows: $0, entropy: entropy, now: time.now()).run() }
            repairs += try ObjectCheck(metadata: metadata, objects: objects).repair()
            // Derived once more: what was lost has taken receipts back.
            repairs += try metadata.write { try RowRepair.derive($0) }
            var report = try check()
            report.repairs = repairs
            return report
        }
    }
}
